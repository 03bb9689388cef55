package slicesql

import (
	"fmt"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// filter adds the terms that pick executions, and the stretch of time.
func (b *builder) filter(f query.Filter, within query.Range) {
	if within.Min != 0 {
		b.where = append(b.where, "f.time >= "+b.arg(moment(within.Min)))
	}
	if within.Max != 0 {
		b.where = append(b.where, "f.time < "+b.arg(moment(within.Max)))
	}
	var keys []string
	byKey := map[string][]query.Term{}
	for _, term := range f {
		if term.Match == query.MatchAny || term.Match == query.MatchOnly {
			continue
		}
		if byKey[term.Key] == nil {
			keys = append(keys, term.Key)
		}
		byKey[term.Key] = append(byKey[term.Key], term)
	}
	for _, key := range keys {
		b.keyTerms(key, byKey[key])
	}
}

// keyTerms adds one key's terms: one of the positive ones and none of the negated.
func (b *builder) keyTerms(key string, terms []query.Term) {
	p := b.place(key)
	if p.value == "" {
		return // time is no filter; the parser refuses it
	}
	var wanted, conditions []string
	for _, term := range terms {
		condition := b.term(p.value, term)
		if term.Not {
			conditions = append(conditions, "NOT ("+condition+")")
		} else {
			wanted = append(wanted, condition)
		}
	}
	if len(wanted) > 0 {
		conditions = append(conditions, "("+strings.Join(wanted, " OR ")+")")
	}
	if p.source == nil {
		b.where = append(b.where, conditions...)
		return
	}
	p.source.used = true
	p.source.where = append(p.source.where, conditions...)
}

func (b *builder) term(value string, term query.Term) string {
	if term.Match == query.MatchPrefix {
		return "starts_with(" + value + ", " + b.arg(term.Value) + ")"
	}
	return value + " = " + b.arg(term.Value)
}

// groupTerms are the terms that speak about groups. The parser has checked that
// their values are results.
func groupTerms(f query.Filter) (conditions []string) {
	for _, term := range f {
		if term.Match != query.MatchAny && term.Match != query.MatchOnly {
			continue
		}
		result, ok := testengine.ParseResult(term.Value)
		if !ok {
			conditions = append(conditions, "FALSE")
			continue
		}
		such := fmt.Sprintf("count(*) FILTER (WHERE f.result = %d)", result)
		condition := such + " > 0"
		if term.Match == query.MatchOnly {
			condition = such + " = count(*)"
		}
		if term.Not {
			condition = "NOT (" + condition + ")"
		}
		conditions = append(conditions, condition)
	}
	return conditions
}

func moment(unixMilli int64) time.Time { return time.UnixMilli(unixMilli).UTC() }
