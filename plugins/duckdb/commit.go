package duckdb

import (
	"context"
	"fmt"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
)

// commit writes a transaction: names that are new, the builder's rows, its
// watermarks. moved says whether tests' new places go with it.
func (s *store) commit(ctx context.Context, b *rows.Builder, names *rows.Names, moved bool, before func() error) (err error) {
	if err := s.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() {
		if err != nil {
			// An aborted context must not leave the transaction open.
			_ = s.exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	pending := names.Pending()
	if !moved {
		pending.Moved = nil
	}
	if err := s.writeNames(ctx, pending); err != nil {
		return err
	}
	if err := s.writeRows(ctx, b); err != nil {
		return err
	}
	if err := s.writeMarks(ctx, b); err != nil {
		return err
	}
	if err := before(); err != nil {
		return err
	}
	if err := s.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

func (s *store) exec(ctx context.Context, statement string, args ...any) error {
	_, err := s.conn.ExecContext(ctx, statement, args...)
	return err
}

func (s *store) writeNames(ctx context.Context, p rows.Pending) error {
	err := appendAll(s, "suites", p.Suites, func(r rows.Suite) []value {
		return []value{r.Number, text(r.Org), text(r.Name), text(r.DefaultBranch), moment(r.FirstSeen), uint8(r.Mode)}
	})
	if err != nil {
		return err
	}
	for number, change := range p.Changed {
		err := s.exec(ctx, "UPDATE suites SET default_branch = ?, tags_mode = ? WHERE number = ?", text(change.DefaultBranch), uint8(change.Mode), number)
		if err != nil {
			return fmt.Errorf("changing a suite: %w", err)
		}
	}
	err = appendAll(s, "tests", p.Tests, func(r rows.Test) []value {
		return []value{
			r.Number, r.ID, r.Suite, text(r.Scope), text(r.Name), text(r.Location), text(r.File), text(r.Owner), r.Hash, moment(r.FirstSeen),
		}
	})
	if err != nil {
		return err
	}
	if err := s.writeMoved(p.Moved); err != nil {
		return err
	}
	return appendAll(s, "tag_sets", p.Sets, func(r rows.TagSet) []value {
		return []value{r.Number, r.Suite, r.Hash, r.Whole, tagMap(r.Tags)}
	})
}

func (s *store) writeRows(ctx context.Context, b *rows.Builder) error {
	if b.Facts.Len() > 0 {
		if err := s.writeFacts(&b.Facts); err != nil {
			return fmt.Errorf("writing executions: %w", err)
		}
	}
	if err := s.writeUploads(ctx, b.Uploads); err != nil {
		return err
	}
	if len(b.Failures) > 0 {
		if err := s.writeFailures(b.Failures); err != nil {
			return fmt.Errorf("writing failures: %w", err)
		}
	}
	err := appendAll(s, "execution_tags", b.ExecutionTags, func(r rows.ExecutionTags) []value {
		return []value{r.Upload, r.Index, r.Suite, moment(r.Time), tagMap(r.Tags)}
	})
	if err != nil {
		return err
	}
	if err := s.insertNew("run_events", len(b.Runs), func(i int) []value { return runRow(b.Runs[i]) }); err != nil {
		return err
	}
	return s.insertNew("verdicts", len(b.Verdicts), func(i int) []value { return verdictRow(b.Verdicts[i]) })
}

// writeMarks moves the watermarks by compare-and-set.
func (s *store) writeMarks(ctx context.Context, b *rows.Builder) error {
	before, after := b.Committed(), b.Marks()
	for partition, mark := range after.Of {
		old, ok := before.Of[partition]
		switch {
		case !ok:
			err := s.exec(ctx, "INSERT INTO watermarks VALUES (?, ?, ?, ?, ?, ?)",
				text(after.LogID), partition, mark.Next, mark.First, mark.OpenUpload, moment(mark.Time))
			if err != nil {
				return fmt.Errorf("%w: making the watermark of partition %d: %w", errMoved, partition, err)
			}
		case old != mark:
			result, err := s.conn.ExecContext(ctx, `UPDATE watermarks
				SET next_offset = ?, next_first = ?, open_upload = ?, time = ?
				WHERE partition_number = ? AND log_id = ? AND next_offset = ? AND next_first = ?`,
				mark.Next, mark.First, mark.OpenUpload, moment(mark.Time), partition, text(after.LogID), old.Next, old.First)
			if err != nil {
				return fmt.Errorf("moving the watermark of partition %d: %w", partition, err)
			}
			if n, err := result.RowsAffected(); err != nil || n != 1 {
				return fmt.Errorf("moving the watermark of partition %d: %w", partition, errMoved)
			}
		}
	}
	return nil
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
