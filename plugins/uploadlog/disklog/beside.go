package disklog

// smallBytes is how much is written beside a large group at most, and from how
// many bytes on a group is large. Whoever writes so little would wait longer for
// the group before than for the disk.
const smallBytes = 256 << 10

// finishBeside finishes a group. While a large one is on its way to the disk, a
// small one of what came in meanwhile follows it at once, in the blocks behind it,
// with a sync of its own. It is answered after the large one: what is behind
// something that was torn does not count, and is cut off when the log is opened.
func (l *Log) finishBeside(g *group) error {
	if g.end-g.at <= l.options.smallBytes || g.segment.headless {
		return l.finish(g)
	}
	stored := make(chan error, 1)
	go func() { stored <- l.store(g) }()
	small, err, early := l.waitForSmall(stored)
	if early {
		if err == nil {
			l.settle(g)
		}
		return err
	}
	beside := l.placeBeside(g, small)
	var own error
	if beside != nil {
		own = l.store(beside)
	}
	if err := <-stored; err != nil {
		l.giveUpBeside(beside, small, err)
		return err
	}
	l.settle(g)
	switch {
	case beside == nil:
		l.commit(small) // It begins the next segment.
	case own != nil:
		_ = l.giveUp(beside, own) // It has answered.
	default:
		l.settle(beside)
	}
	return nil
}

// waitForSmall waits until there are requests that are small enough, or until the
// large group is stored, which is early.
func (l *Log) waitForSmall(stored <-chan error) (small []*request, err error, early bool) {
	for {
		l.mu.Lock()
		small = l.queue.takeSmall(l.options.smallBytes)
		l.mu.Unlock()
		if len(small) > 0 {
			return small, nil, false
		}
		select {
		case err := <-stored:
			return nil, err, true
		case <-l.wake: // Whoever waits is asked for again when the group is done.
		}
	}
}

// placeBeside makes the group that follows one that is on its way; nil when the
// segment has no room for all of it.
func (l *Log) placeBeside(g *group, requests []*request) *group {
	l.second = roomy(l.second, bound(requests))
	at := blockUp(g.end)
	beside := &group{
		segment: g.segment, start: g.start + int64(len(g.placed)), begun: g.begun,
		at: at, end: at, blocks: true, time: g.time, arena: l.second, complete: requests,
	}
	for _, r := range requests {
		for i := range r.entries {
			if l.place(beside, &r.entries[i]) != nil {
				l.forget(beside)
				return nil
			}
		}
	}
	return beside
}

// giveUpBeside answers what was to follow a group that failed.
func (l *Log) giveUpBeside(beside *group, requests []*request, err error) {
	if beside == nil {
		l.answerAll(requests, err)
		return
	}
	_ = l.giveUp(beside, err) // It has answered.
}
