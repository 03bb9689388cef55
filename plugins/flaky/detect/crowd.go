package detect

// What makes a test that failed in a crowd more than a bystander.
const (
	worthCrowd    = 25 // each crowd, once there are enough of them
	neededCrowds  = 3
	betweenCrowds = 3 * day // without a failure, for crowds to have causes of their own
)

// coincidence is how much a mixed result gains from those before it. A crowd
// of failing tests says little about each of them, but what strikes a few tests
// once strikes others the next time. A test that is among them again and again,
// days after its last failure, is no bystander: then the earlier crowds count too.
func coincidence(c *inquiry) float64 {
	o, rec, settings := c.out, c.record, c.suite.settings
	if o.flags&flagGuarded == 0 && c.crowd < 1 || c.flips+c.fails >= settings.Storm.MinFailures {
		return 1
	}
	if o.flags&flagElsewhere != 0 && (rec.broken || rec.streak > 0 && rec.newest != c.run.place) {
		return 1 // it is failing on the line
	}
	switch ago, ok := rec.failedElsewhere(c.run.slot, c.at); {
	case !ok || ago > settings.Healing.Stale:
		rec.crowds = 0 // another story
	case ago < betweenCrowds:
		return 1
	}
	rec.crowds++
	switch {
	case rec.crowds < neededCrowds:
		return 1
	case rec.crowds > neededCrowds:
		rec.crowds = neededCrowds
		return worthCrowd
	}
	return worthCrowd * worthCrowd * worthCrowd
}

// failedElsewhere says how long ago the test last failed on another commit.
func (r *record) failedElsewhere(slot uint32, now int64) (ago int64, ok bool) {
	for _, f := range r.failing {
		if f.slot != 0 && f.slot != slot {
			return since(f.at, now), true
		}
	}
	return 0, false
}
