package simulate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
)

const (
	nfPath  = "path"
	nfKinds = "kinds"
)

func init() {
	service.MustRegisterBatchOutput("ndjson_file", ndjsonSpec(),
		func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			path, err := conf.FieldString(nfPath)
			if err != nil {
				return nil, service.BatchPolicy{}, 0, err
			}
			kinds, err := conf.FieldStringList(nfKinds)
			if err != nil {
				return nil, service.BatchPolicy{}, 0, err
			}
			return &ndjsonFile{path: path, kinds: kinds}, service.BatchPolicy{}, 1, nil
		})
}

func ndjsonSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Local").
		Summary("Writes messages of chosen kinds as lines of JSON to a new file, in their order.").
		Description(`Unlike the stock output `+"`file`"+` it begins with an empty file, so that two back-tests never end up in one file, and it passes by the kinds that are not wanted. A message whose JSON has line breaks is an error, which the input gets to see.`).
		Fields(
			service.NewStringField(nfPath).
				Description("The file; its folder is made when it is missing. `-` is the standard output.").
				Default("-"),
			service.NewStringListField(nfKinds).
				Description("The kinds that are written: `block`, `upload_report`, `run`, `verdict`, `change`, `tick`. Empty writes every message, of other streams too.").
				Default([]string{"verdict"}),
		).
		Example("Verdicts as lines", "Blocks, runs and reports are passed by.", `
output:
  ndjson_file:
    path: verdicts.ndjson
    kinds: [ verdict ]
`)
}

// ndjsonFile is the output ndjson_file.
type ndjsonFile struct {
	path  string
	kinds []string

	mu     sync.Mutex
	file   *os.File
	buffer bytes.Buffer
}

// Connect makes the file, empty.
func (n *ndjsonFile) Connect(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file != nil {
		return nil
	}
	if n.path == "-" {
		n.file = os.Stdout
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(n.path), 0o755); err != nil { //nolint:gosec // a folder for results
		return fmt.Errorf("making the folder of %s: %w", n.path, err)
	}
	file, err := os.Create(n.path)
	if err != nil {
		return fmt.Errorf("making %s: %w", n.path, err)
	}
	n.file = file
	return nil
}

// WriteBatch appends the batch's lines in one write.
func (n *ndjsonFile) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file == nil {
		return service.ErrNotConnected
	}
	n.buffer.Reset()
	for _, m := range batch {
		if len(n.kinds) > 0 && !slices.Contains(n.kinds, string(message.Kind(m))) {
			continue
		}
		line, err := m.AsBytes()
		if err != nil {
			return fmt.Errorf("encoding a line of %s: %w", n.path, err)
		}
		if bytes.IndexByte(line, '\n') >= 0 {
			return fmt.Errorf("encoding a line of %s: a message has line breaks", n.path)
		}
		n.buffer.Write(line)
		n.buffer.WriteByte('\n')
	}
	if _, err := n.file.Write(n.buffer.Bytes()); err != nil {
		return fmt.Errorf("writing %s: %w", n.path, err)
	}
	return nil
}

// Close closes the file.
func (n *ndjsonFile) Close(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file == nil || n.file == os.Stdout {
		return nil
	}
	err := n.file.Close()
	n.file = nil
	return err
}
