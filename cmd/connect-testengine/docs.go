package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	ucli "github.com/urfave/cli/v2"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
)

//go:embed docs.tmpl
var docsTemplate string

// capability is a folder under plugins/ and what it registers.
type capability struct {
	Folder     string
	Components []component
}

type component struct{ Kind, Name string }

// capabilities is the table behind plugins/<capability>/README.md, in the order of
// its sections. The conformance test misses what is registered and not in here.
var capabilities = []capability{
	{"admission", []component{{"rate_limit", "adaptive"}}},
	{"api", []component{{"input", "testengine_api"}}},
	{"chunk", []component{{"processor", "webhook_chunk"}, {"input", "webhook_reassemble"}, {"processor", "webhook_reassemble"}}},
	{"collector", []component{{"resource", "http_listener"}, {"input", "collector_http"}}},
	{"duckdb", []component{{"resource", "duckdb_database"}, {"output", "duckdb"}}},
	{"enrich", []component{{"processor", "execution_enrich"}}},
	{"flaky", []component{{"processor", "flaky_detect"}}},
	{"kafka", []component{
		{"input", "kafka_stateful"},
		{"output", "kafka_blocks"},
		{"resource", "kafka_transaction"},
	}},
	{"schema", []component{{"resource", "testengine_schemas"}, {"processor", "record_encode"}, {"processor", "record_decode"}}},
	{"simulate", []component{{"input", "ci_simulator"}, {"input", "upload_history"}, {"output", "ndjson_file"}}},
	{"statestore", []component{{"resource", "testengine_state"}}},
	{"upload", []component{{"processor", "upload_decode"}, {"processor", "for_each_execution"}}},
	{"uploadlog", []component{{"buffer", "upload_log"}, {"input", "upload_log"}}},
	{"webhook", []component{{"input", "webhook_http"}}},
	{"window", []component{{"processor", "window_aggregate"}}},
}

// docsCommand writes the reference page of every capability from its specs.
func docsCommand() *ucli.Command {
	return &ucli.Command{
		Name:   "docs",
		Usage:  "Write plugins/<capability>/README.md from the specs of the components, and config/schemas.",
		Hidden: true,
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "out", Value: "plugins", Usage: "The folder that holds the capabilities."},
			&ucli.StringFlag{Name: "schemas", Value: "config/schemas", Usage: "The folder for the schemas of topics' records."},
			&ucli.BoolFlag{Name: "check", Usage: "Write nothing; fail when a page is not what would be written."},
		},
		Action: func(c *ucli.Context) error {
			for _, of := range capabilities {
				page, err := renderCapability(of)
				if err != nil {
					return fmt.Errorf("describing %s: %w", of.Folder, err)
				}
				if err := writeOrCheck(filepath.Join(c.String("out"), of.Folder, "README.md"), page, c.Bool("check")); err != nil {
					return err
				}
			}
			return writeSchemas(c.String("schemas"), c.Bool("check"))
		},
	}
}

// writeSchemas copies the embedded schemas to where people look for them.
func writeSchemas(folder string, check bool) error {
	if !check {
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // public documents
			return err
		}
	}
	for _, record := range avro.Records() {
		if err := writeOrCheck(filepath.Join(folder, record.String()+".avsc"), []byte(record.Current().Text), check); err != nil {
			return err
		}
	}
	return nil
}

func writeOrCheck(path string, page []byte, check bool) error {
	if !check {
		return os.WriteFile(path, page, 0o644) //nolint:gosec // a public document
	}
	found, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(found, page) {
		return fmt.Errorf("%s is not what the specs say: run make docs", path)
	}
	return nil
}

func renderCapability(of capability) ([]byte, error) {
	env := service.GlobalEnvironment()
	type section struct {
		component
		Spec service.TemplateDataPlugin
	}
	var sections []section
	for _, one := range of.Components {
		data, err := describe(env, one)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", one.Kind, one.Name, err)
		}
		sections = append(sections, section{one, data})
	}
	var page bytes.Buffer
	err := template.Must(template.New("capability").Parse(docsTemplate)).
		Execute(&page, map[string]any{"Folder": of.Folder, "Sections": sections})
	return bytes.TrimLeft(page.Bytes(), "\n"), err
}

func describe(env *service.Environment, of component) (service.TemplateDataPlugin, error) {
	var view *service.ConfigView
	var found bool
	switch of.Kind {
	case "input":
		view, found = env.GetInputConfig(of.Name)
	case "output":
		view, found = env.GetOutputConfig(of.Name)
	case "processor":
		view, found = env.GetProcessorConfig(of.Name)
	case "rate_limit":
		view, found = env.GetRateLimitConfig(of.Name)
	case "buffer":
		view, found = env.GetBufferConfig(of.Name)
	case "resource":
		said, err := resource.Describe(of.Name)
		if err != nil {
			return said, err
		}
		schema, err := env.FullConfigSchema("", "").TemplateData(of.Name)
		said.Fields, said.CommonConfigYAML, said.AdvancedConfigYAML = schema.Fields, schema.CommonConfigYAML, schema.AdvancedConfigYAML
		return said, err
	}
	if !found {
		return service.TemplateDataPlugin{}, fmt.Errorf("no such %s is registered", of.Kind)
	}
	return view.TemplateData()
}
