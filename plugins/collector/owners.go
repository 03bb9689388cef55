package collector

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/enrich/owners"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/multipart"
)

// formRoom is what a form needs beside the file in it.
const formRoom = 16 << 10

// owners takes a TESTOWNERS file, as a form with the part file, and answers when
// the log has it: 202 with the lines that were not understood.
func (d *door) owners(w http.ResponseWriter, r *http.Request) {
	room := d.allowance()
	said, err := d.takeOwners(r, room)
	d.metrics.hold(-room.held)
	room.giveBack()
	if err == nil {
		writeJSON(w, http.StatusAccepted, said)
		return
	}
	d.say(w, err)
	linger(w, r)
}

func (d *door) takeOwners(r *http.Request, room *allowance) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, notPosted("TESTOWNERS files")
	}
	who, err := d.authorize(r)
	if err != nil {
		return nil, err
	}
	room.tenant, room.weight = who.Org, who.Organization.Weight
	boundary := multipart.Boundary(r.Header.Get("Content-Type"))
	if boundary == "" {
		return nil, unsupported("the Content-Type is not multipart/form-data with a boundary: send the file with curl --form file=@TESTOWNERS")
	}
	body, err := d.read(r, room, &who, owners.MaxBytes+formRoom)
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.result == resultTooLarge:
		return nil, tooLargeOwners(owners.MaxBytes)
	case err != nil:
		return nil, err
	}
	defer d.buffers.Put(body)
	permit, err := d.admit(r.Context(), &who, limiter.PlanMetadata)
	if err != nil {
		return nil, err
	}
	defer permit.Done(false)
	parts, err := multipart.Parse(body, boundary)
	if err != nil {
		return nil, invalid(err.Error())
	}
	for _, part := range parts {
		if part.Name == "file" {
			return d.keepOwners(&who, string(part.Value))
		}
	}
	return nil, invalid("the form has no part named file: send it with curl --form file=@TESTOWNERS")
}

// keepOwners puts the file into the log. Lines that are not understood are named
// and lose themselves alone, as in CODEOWNERS; a file of which nothing is
// understood is a mistake, and the one before stays.
func (d *door) keepOwners(who *tenant.Tenant, file string) ([]byte, error) {
	if len(file) > owners.MaxBytes {
		return nil, tooLargeOwners(owners.MaxBytes)
	}
	if !utf8.ValidString(file) || strings.ContainsRune(file, 0) {
		return nil, invalid("the file is no text in UTF-8: nothing of it was stored")
	}
	rules, found := owners.Parse(file)
	if rules.Len() == 0 && len(found) > 0 {
		return nil, invalid("nothing of the file was understood: " + found[0].Error())
	}
	text, _ := json.Marshal(file) //nolint:errchkjson // a text always has JSON
	if err := d.deliver(who.Org, d.changeMessage(who.Org, who.Suite, who.DefaultBranch, testengine.ChangeOwners, testengine.RawJSON(text)), nil); err != nil {
		return nil, err
	}
	problems := make([]string, len(found))
	for i := range found {
		problems[i] = found[i].Error()
	}
	said, _ := json.Marshal(map[string]any{"rules": rules.Len(), "problems": problems}) //nolint:errchkjson // texts and a number
	return append(said, '\n'), nil
}

// changeMessage is a record of the log by which a suite changes.
func (d *door) changeMessage(org, suite, branch, kind string, section testengine.RawJSON) *service.Message {
	now := d.now().UnixMilli()
	// The moment is part of the id, so that going back to an earlier value is a change too.
	seed := testengine.HashUint(testengine.Hash(testengine.SuiteSeed(org, suite), kind), uint64(now))
	value := &testengine.Change{
		ID:    "change_" + testengine.FormatID(testengine.Hash(seed, string(section))),
		Org:   org,
		Suite: suite,
		Type:  kind,
		Body:  section,
	}
	body, _ := json.Marshal(value) //nolint:errchkjson // texts and JSON that was made here
	m := service.NewMessage(body)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindChange))
	m.MetaSetMut(testengine.MetaOrg, org)
	m.MetaSetMut(testengine.MetaSuite, suite)
	m.MetaSetMut(testengine.MetaDefaultBranch, branch)
	m.MetaSetMut(testengine.MetaReceivedAt, now)
	return m
}
