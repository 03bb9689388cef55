package collector

import (
	"net/http"

	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/upload/otlp"
)

// signal answers the logs and metrics of OTLP: an exporter that was given the
// address of the door sends them beside its traces. Nothing of them is kept. The
// answer says so in OTLP's own terms, as a success that rejects every record: a
// client must not send that again, while it reports a 404 at every export and
// repeats a 503. Results come first: under load these are turned away with 503.
func (d *door) signal(signal otlp.Signal) http.HandlerFunc {
	why := signal.Name + " are not kept here, test executions alone are (spans named test.execution, sent to /v1/traces): " +
		"set OTEL_" + signal.Variable + "_EXPORTER=none"
	return func(w http.ResponseWriter, r *http.Request) {
		room := d.allowance()
		rejected, err := d.countSignal(r, room, signal)
		d.metrics.hold(-room.held)
		room.giveBack()
		if err != nil {
			tracesWay{}.refuse(w, r, d.refusal(err))
			linger(w, r)
			return
		}
		d.metrics.rejected.Incr(int64(rejected), signal.Name)
		said := why
		if rejected == 0 {
			said = ""
		}
		tracesWay{}.write(w, r, http.StatusOK, func(asJSON bool) []byte {
			return answer.AppendExported(nil, asJSON, signal.Rejected, rejected, said)
		})
	}
}

// countSignal reads a request and counts its records. It does not count against
// the organization's quota, which is for results.
func (d *door) countSignal(r *http.Request, room *allowance, signal otlp.Signal) (records int, err error) {
	if r.Method != http.MethodPost {
		return 0, notPosted(signal.Name)
	}
	who, err := d.authorize(r)
	if err != nil {
		return 0, err
	}
	room.tenant, room.weight = who.Org, who.Organization.Weight
	kind, err := tracesWay{}.kind(r.Header)
	if err != nil {
		return 0, err
	}
	body, err := d.read(r, room, &who, who.Limits.BodyBytes)
	if err != nil {
		return 0, err
	}
	defer d.buffers.Put(body)
	permit, err := d.admit(r.Context(), &who, limiter.Logs)
	if err != nil {
		return 0, err
	}
	defer permit.Done(false)
	done, err := d.turn(r.Context(), &who)
	if err != nil {
		return 0, err
	}
	defer done()
	encoding := otlp.Protobuf
	if inJSON(kind.contentType) {
		encoding = otlp.JSON
	}
	err = d.inspector.unpacked(kind.encoding, body, tighter(d.config.decodedBytes, who.Limits.DecodedBytes), func(plain []byte) error {
		if records, err = signal.Count(encoding, plain, d.inspector.maxDepth); err != nil {
			return misread(err)
		}
		return nil
	})
	return records, err
}
