package simulate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	hfPaths         = "paths"
	hfOrganization  = "organization"
	hfDefaultBranch = "default_branch"
	hfLogID         = "log_id"
	hfSettle        = "settle"
	hfBatchBytes    = "batch_bytes"
	hfBatchLines    = "batch_lines"
	hfMaxLineBytes  = "max_line_bytes"
)

func init() {
	service.MustRegisterBatchInput("upload_history", historySpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			config, err := historyFromParsed(conf)
			if err == nil {
				err = checkPaths(config.paths)
			}
			if err != nil {
				return nil, err
			}
			return newHistoryInput(config, res), nil
		})
}

func historySpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Local").
		Summary("Reads recorded uploads from files, with the time at which each was received, as if they came out of the log.").
		Description(`One upload a line, plain, gzip or zstd (told apart by their first bytes):

    {"received_at": "2026-11-23T09:15:00Z", "suite": "api", "body": {the collector's upload}}

`+"`org`"+` is optional, other keys are passed over, the body goes on as it stands. The time of the log is the greatest `+"`received_at`"+` so far, so runs close and tests heal as they would have then. Every line is one position: partition 0, offset = its number from 0, over all files.

After the last line a tick moves the time on by `+"`settle`"+`, which fires every timer that is due by then, in order of their due times; then the input ends.

One batch is under way at a time, so detection sees the lines in order whatever number of threads the pipeline has, and gives the same verdicts whatever the size of a batch.

A line that cannot be used is logged as an error with its number and field, counted in `+"`testengine_history_lines_total{result=\"unusable\"}`"+`, and passed over; at the end one more error says how many there were. When the output fails for good, the input says so and ends: the verdicts written so far are then incomplete.`).
		Fields(
			service.NewStringListField(hfPaths).
				Description("The files, read one after the other. `*`, `?` and `[…]` name several, in order of their names; `-` is the standard input.").
				Example([]string{"uploads.ndjson.zst"}).
				LintRule(`root = if this.length() == 0 { "paths must name at least one file" }`),
			service.NewStringField(hfOrganization).
				Description("The organisation of lines that name none.").
				Default("local"),
			service.NewStringField(hfDefaultBranch).
				Description("The branch whose commits are the line of code that detection follows.").
				Default("main"),
			service.NewStringField(hfLogID).
				Description("Names the log in positions and in the names of executions. Two runs over the same lines agree when it is the same.").
				Default("history").Advanced(),
			fields.NewDuration(hfSettle).
				Description("How far the time moves on after the last line.").
				Default("30m").Advanced(),
			service.NewStringField(hfBatchBytes).
				Description("Size of the bodies at which a batch goes out.").
				Default("4MiB").Advanced(),
			fields.NewNumber(hfBatchLines, 1, fields.Endless).
				Description("Number of lines at which a batch goes out.").
				Default(500).Advanced(),
			service.NewStringField(hfMaxLineBytes).
				Description("Longest line that is read; longer ones are unusable.").
				Default("129MiB").Advanced(),
		).
		Example("Back-test", "What would detection have said about these uploads?", `
input:
  upload_history:
    paths: [ uploads.ndjson.gz ]

pipeline:
  threads: 1
  processors:
    - upload_decode: {}
    - flaky_detect: {}

output:
  ndjson_file:
    path: verdicts.ndjson
    kinds: [ verdict ]
`)
}

// mostBytes bounds the sizes of batches and lines: 1 TiB.
const mostBytes = 1 << 40

// historyConfig is the parsed configuration of upload_history.
type historyConfig struct {
	paths                        []string
	org, defaultBranch, logID    string
	settle                       time.Duration
	batchBytes, batchLines, line int
}

func historyFromParsed(conf *service.ParsedConfig) (c historyConfig, err error) {
	p := fields.Into(&err, conf)
	c.org, c.defaultBranch, c.logID = p.Text(hfOrganization), p.Text(hfDefaultBranch), p.Text(hfLogID)
	c.settle = p.Duration(hfSettle)
	c.batchBytes, c.batchLines = int(p.BytesWithin(1, mostBytes, hfBatchBytes)), p.NumberWithin(1, fields.Endless, hfBatchLines)
	c.line = int(p.BytesWithin(1, mostBytes, hfMaxLineBytes))
	patterns := p.List(hfPaths)
	if err != nil {
		return c, err
	}
	c.paths, err = expandPaths(patterns)
	return c, err
}

// expandPaths turns patterns into files. A name that is no file stays as it
// is, so that opening it says what is wrong.
func expandPaths(patterns []string) (paths []string, err error) {
	for _, pattern := range patterns {
		if pattern == "" {
			return nil, errors.New("reading paths: a path is empty; name a file of uploads")
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("reading paths: %q: %w", pattern, err)
		}
		if len(found) == 0 {
			found = []string{pattern}
		}
		slices.Sort(found)
		paths = append(paths, found...)
	}
	return paths, nil
}

// checkPaths refuses at the start, before anything is read, what is not there.
func checkPaths(paths []string) error {
	for _, path := range paths {
		if path == "-" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("looking for the history: %w", err)
		}
	}
	return nil
}
