// Package page renders the web page: templates, styles and scripts that are
// part of the binary, and the views that fill them. It writes to an io.Writer
// and knows no HTTP. All values are escaped by html/template; nothing inline
// runs, so that the page works under a strict Content-Security-Policy.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// The pages.
const (
	Suites  = "suites"
	Tests   = "tests"
	Test    = "test"
	Runs    = "runs"
	Run     = "run"
	Uploads = "uploads"
	Upload  = "upload"

	UploadHealth = "upload_health"

	Slices  = "slices"
	Login   = "login"
	Problem = "problem"
)

var names = []string{Suites, Tests, Test, Runs, Run, Uploads, Upload, UploadHealth, Slices, Login, Problem}

// Renderer writes pages. It is safe for concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	assets *Assets
}

// NewRenderer parses the templates; they are part of the binary, so an error
// is a programming mistake that a test finds.
func NewRenderer() (*Renderer, error) {
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	functions := functions()
	functions["asset"] = assets.URL
	shared, err := template.New("shared").Funcs(functions).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the shared templates: %w", err)
	}
	r := &Renderer{pages: map[string]*template.Template{}, assets: assets}
	for _, name := range names {
		own, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("copying the shared templates: %w", err)
		}
		if r.pages[name], err = own.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parsing the template %s: %w", name, err)
		}
	}
	return r, nil
}

// Assets are the files the pages refer to.
func (r *Renderer) Assets() *Assets { return r.assets }

// Render writes a whole page, or only the part that changes while one looks at
// it when fragment is set. Nothing is written when an error is returned.
func (r *Renderer) Render(w io.Writer, name string, fragment bool, view any) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("rendering a page: there is none called %q", name)
	}
	root := "layout"
	if fragment {
		root = "live"
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, root, view); err != nil {
		return fmt.Errorf("rendering the page %s: %w", name, err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// plural writes a number of things: "1 test", "2 tests".
func plural(n any, word string) string {
	text := formatCount(n)
	if text != "1" {
		word += "s"
	}
	return text + "\u00a0" + strings.TrimSpace(word)
}
