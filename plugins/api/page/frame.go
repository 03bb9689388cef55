package page

import (
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// Frame is what every page shows around its content.
type Frame struct {
	// Site is the name of the whole, Title that of this page.
	Site, Title string
	Suite       query.SuiteKey
	// Suites are those the reader may see, for the switch.
	Suites []query.SuiteKey
	// Section is the entry of the navigation that is marked.
	Section string
	// Path and Query are those of the request.
	Path  string
	Query url.Values
	// Live pages follow the stream of verdicts and refresh themselves.
	Live bool
	// CanLeave is set when the reader came in with a token.
	CanLeave bool
	// BaseURL is how this server is reached from outside.
	BaseURL string
}

// Section is one entry of the navigation.
type Section struct {
	Name, Label, Href string
	Current           bool
}

// Sections lists the navigation of the suite.
func (f Frame) Sections() []Section {
	if f.Suite.Suite == "" {
		return nil
	}
	list := []Section{{Name: "flaky", Label: "Flaky"}, {Name: "tests", Label: "Tests"}, {Name: "runs", Label: "Runs"}, {Name: "uploads", Label: "Uploads"}, {Name: "slices", Label: "Slices"}}
	for i := range list {
		list[i].Href = f.Link(list[i].Name)
		list[i].Current = list[i].Name == f.Section
	}
	return list
}

// Link is the path of a page of the suite.
func (f Frame) Link(parts ...string) string { return SuitePath(f.Suite, parts...) }

// API is the path of the suite's data.
func (f Frame) API(parts ...string) string { return APIPath(f.Suite, parts...) }

// SuiteLink is the path of another suite's first page.
func (Frame) SuiteLink(key query.SuiteKey) string { return SuitePath(key, "flaky") }

// With is this page with one parameter changed; "" takes it away.
func (f Frame) With(key, value string) string {
	values := maps.Clone(f.Query)
	if values == nil {
		values = url.Values{}
	}
	values.Del("page")
	if value == "" {
		values.Del(key)
	} else {
		values.Set(key, value)
	}
	if len(values) == 0 {
		return f.Path
	}
	return f.Path + "?" + values.Encode()
}

// SuitePath is the path of a page of a suite.
func SuitePath(key query.SuiteKey, parts ...string) string {
	return join("/"+url.PathEscape(key.Org)+"/suites/"+url.PathEscape(key.Suite), parts)
}

// APIPath is the path of a suite's data.
func APIPath(key query.SuiteKey, parts ...string) string {
	return join("/v2/analytics/organizations/"+url.PathEscape(key.Org)+"/suites/"+url.PathEscape(key.Suite), parts)
}

func join(base string, parts []string) string {
	var b strings.Builder
	b.WriteString(base)
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}
	return b.String()
}

// Pager leads through a list.
type Pager struct {
	Frame  Frame
	Paging query.Paging
	Total  int
}

// First and Last are the places of the page's rows, from 1.
func (p Pager) First() int { return min(p.Paging.Offset()+1, p.Total) }

// Last is the place of the page's last row.
func (p Pager) Last() int { return min(p.Paging.Offset()+p.Paging.Size, p.Total) }

// Needed reports whether there is more than one page.
func (p Pager) Needed() bool { return p.Total > p.Paging.Size || p.Paging.Number > 1 }

// Previous is the page before, or "".
func (p Pager) Previous() string {
	if p.Paging.Number <= 1 {
		return ""
	}
	return p.Frame.With("page", strconv.Itoa(p.Paging.Number-1))
}

// Next is the page behind, or "".
func (p Pager) Next() string {
	if p.Last() >= p.Total {
		return ""
	}
	return p.Frame.With("page", strconv.Itoa(p.Paging.Number+1))
}
