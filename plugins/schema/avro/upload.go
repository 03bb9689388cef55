package avro

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

func appendUpload(to []byte, r *testengine.Record) []byte {
	to = appendText(to, string(r.Kind))
	to = appendText(to, r.Org)
	to = appendText(to, r.Suite)
	to = appendText(to, r.DefaultBranch)
	to = appendText(to, r.UploadID)
	to = appendText(to, r.ContentType)
	to = appendText(to, r.ContentEncoding)
	to = appendLong(to, r.ReceivedAt)
	to = appendChoice(to, r.Origin != nil)
	if r.Origin != nil {
		to = appendPosition(to, *r.Origin)
	}
	to = appendChunk(to, r.Chunk)
	to = appendTags(to, r.Meta)
	return appendBytes(to, r.Body)
}

func appendChunk(to []byte, c *testengine.Chunk) []byte {
	to = appendChoice(to, c != nil)
	if c == nil {
		return to
	}
	return appendInt(appendInt(appendInt(to, c.Index), c.Count), c.FirstIndex)
}

func (r *reader) chunk() *testengine.Chunk {
	if !r.choice() {
		return nil
	}
	return &testengine.Chunk{Index: r.int(), Count: r.int(), FirstIndex: r.int()}
}

func appendPosition(to []byte, p testengine.Position) []byte {
	to = appendText(to, p.LogID)
	to = appendInt(to, p.Partition)
	return appendLong(to, p.Offset)
}

// readUpload reads the facts as copies; the body stays a piece of data.
func readUpload(data []byte, into *testengine.Record) error {
	skim := aliasing(data)
	skim.uploadHead(&testengine.Record{})
	head := skim.at
	into.Body = skim.bytes()
	if err := skim.end(); err != nil {
		return err
	}
	facts := copying(data[:head])
	facts.uploadHead(into)
	return facts.end()
}

func (r *reader) uploadHead(into *testengine.Record) {
	into.Kind = testengine.Kind(r.str())
	into.Org = r.str()
	into.Suite = r.str()
	into.DefaultBranch = r.str()
	into.UploadID = r.str()
	into.ContentType = r.str()
	into.ContentEncoding = r.str()
	into.ReceivedAt = r.long()
	if r.choice() {
		p := r.position()
		into.Origin = &p
	}
	into.Chunk = r.chunk()
	into.Meta = r.tags()
}

func (r *reader) position() testengine.Position {
	return testengine.Position{LogID: r.str(), Partition: r.int(), Offset: r.long()}
}
