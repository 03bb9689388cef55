package rows

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// blockUpload returns the row of the block's upload, or false when the block is
// stored already.
func (b *Builder) blockUpload(o Origin, block *testengine.Block) (*Upload, bool) {
	if !o.Logged {
		up := b.loose[block.Upload.ID]
		if up == nil {
			up = b.newUpload(o, block)
			b.loose[block.Upload.ID] = up
		}
		return up, true
	}
	mark, ok := b.moved.reach(o.Position)
	if !ok || block.First < mark.First {
		return nil, false
	}
	up := b.open[o.Partition]
	if up == nil || up.Position.Offset != o.Offset || up.Facts.Part != block.Upload.Part {
		if mark.OpenUpload != 0 && block.Upload.Part == 0 {
			up = b.storedUpload(o, mark, block.Upload)
			up.Tags = uploadTags(block)
		} else {
			up = b.newUpload(o, block)
		}
		b.open[o.Partition] = up
	}
	mark.First = block.First + len(block.Executions)
	if block.Upload.Part == 0 { // the report is that of the delivery's first upload
		mark.OpenUpload = up.Number
	}
	b.setMark(o, mark)
	return up, true
}

func (b *Builder) newUpload(o Origin, block *testengine.Block) *Upload {
	up := b.addUpload(o, block.Upload)
	up.named(block.Position)
	up.Tags = uploadTags(block)
	return up
}

func (b *Builder) addUpload(o Origin, facts *testengine.Upload) *Upload {
	position := o.Position
	if !o.Logged {
		position.Offset = -1
	}
	suite := b.names.suite(facts.Org, facts.Suite, facts.DefaultBranch, facts.Time*microsPerMilli)
	up := &Upload{
		Number: b.names.nextUpload, Suite: suite.number, Position: position, Named: position, Facts: *facts, Run: runNumber(facts.RunID),
	}
	b.names.nextUpload++
	b.Uploads = append(b.Uploads, up)
	return up
}

// storedUpload goes on with a row that an earlier transaction began.
func (b *Builder) storedUpload(o Origin, mark Mark, facts *testengine.Upload) *Upload {
	up := &Upload{Number: mark.OpenUpload, Stored: true, Position: o.Position, Facts: *facts}
	b.Uploads = append(b.Uploads, up)
	return up
}

func (b *Builder) reportUpload(o Origin, mark Mark, report *testengine.UploadReport) {
	up := b.open[o.Partition]
	switch {
	case up != nil && up.Position.Offset == o.Offset && up.Facts.Part == 0:
	case up != nil && up.Position.Offset == o.Offset && b.firstPart(o) != nil:
		up = b.firstPart(o)
	case mark.OpenUpload != 0:
		up = b.storedUpload(o, mark, factsOf(report))
	default:
		up = b.addUpload(o, factsOf(report))
		up.named(report.Position)
	}
	up.Report = report
}

// named takes the place that a block or a report brings along. Those of a stream
// without a log have none.
func (up *Upload) named(at testengine.Position) {
	if at.LogID != "" {
		up.Named = at
	}
}

// firstPart is the first upload of the record, when it is in this transaction.
func (b *Builder) firstPart(o Origin) *Upload {
	for _, up := range b.Uploads {
		if up.Position == o.Position && up.Facts.Part == 0 {
			return up
		}
	}
	return nil
}

func (b *Builder) looseReport(o Origin, report *testengine.UploadReport) {
	up := b.loose[report.UploadID]
	if up == nil || report.Duplicate {
		up = b.addUpload(o, factsOf(report))
	}
	up.Report = report
	delete(b.loose, report.UploadID)
}

// factsOf is what a report tells of an upload without executions.
func factsOf(r *testengine.UploadReport) *testengine.Upload {
	return &testengine.Upload{
		ID: r.UploadID, Org: r.Org, Suite: r.Suite, Format: r.Format, ReceivedAt: r.ReceivedAt, Time: r.Time,
		RunKey: r.RunKey, RunID: r.RunID, Branch: r.Branch, CommitSHA: r.CommitSHA, Collector: r.Collector,
	}
}
