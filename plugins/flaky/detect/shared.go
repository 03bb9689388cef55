package detect

// ranOnCommit says whether the test of the record already ran on this commit.
func (e *Engine) ranOnCommit(rec *record) bool {
	if e.passedBefore(rec.dense) {
		return true
	}
	_, failed := rec.failureOn(e.run.slot, e.now)
	return failed
}

func sharedKey(key uint64, file uint16) uint64 {
	return keyOf(key, kindShared, uint64(file))
}

// shareCell parts two tests that share suite, scope and name: from now on the
// file is part of their key.
func (e *Engine) shareCell(key uint64, c cell) {
	e.state.SetValue(key, []byte{kindShared})
	e.state.SetCell(sharedKey(key, c.file), c.pack())
}

func (e *Engine) shareRecord(key uint64, rec *record) {
	names := e.namesOf(key)
	e.state.Delete(namesKey(key))
	e.state.CancelTimer(key)
	e.state.SetValue(key, []byte{kindShared})
	key = sharedKey(key, rec.file)
	rec.shared = true
	e.putNames(key, names)
	e.putRecord(key, rec)
	e.arm(key, rec)
}
