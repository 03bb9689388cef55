package assemble

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

const (
	tooLong  = "too long: it was cut"
	tooLarge = "too large: it was dropped"
)

// bound keeps an execution at a size that state, topics and stores take: one
// that nobody can store would hold up all that come after it. The identity has
// been made of the whole scope and name.
func (b *Builder) bound(e *testengine.Execution) {
	for _, text := range []struct {
		field string
		value *string
	}{
		{"scope", &e.Scope},
		{"name", &e.Name},
		{"location", &e.Location},
		{"file_name", &e.File},
		{"failure_reason", &e.FailureReason},
	} {
		if len(*text.value) > b.limits.TextBytes {
			b.Remark(e.Index, text.field, tooLong, *text.value)
			*text.value = testengine.CutText(*text.value, b.limits.TextBytes)
		}
	}
	if e.Details == nil {
		return
	}
	if len(e.Details.ExternalID) > b.limits.TextBytes {
		b.Remark(e.Index, "external_id", tooLong, e.Details.ExternalID)
		e.Details.ExternalID = testengine.CutText(e.Details.ExternalID, b.limits.TextBytes)
	}
	for _, raw := range []struct {
		field string
		value *testengine.RawJSON
	}{
		{"failure_expanded", &e.Details.FailureExpanded},
		{"history", &e.Details.History},
		{"record", &e.Details.Extra},
	} {
		if len(*raw.value) > b.limits.DetailBytes {
			b.Remark(e.Index, raw.field, tooLarge, string(*raw.value))
			*raw.value = ""
		}
	}
	if *e.Details == (testengine.Details{}) {
		e.Details = nil
	}
}
