package world

// Storm is an incident of the infrastructure: while it lasts, tests fail that
// have nothing wrong with them.
type Storm struct {
	// Kind is service (one cause, one message), host (one sick agent, every
	// message another) or few (two to four tests of one file).
	Kind string `json:"kind"`
	// From and Until are real unix milliseconds.
	From  int64 `json:"from"`
	Until int64 `json:"until"`
	// Share is the chance that a test it touches fails.
	Share float64 `json:"share"`
	Host  string  `json:"host,omitempty"`
	// Suite is set when the incident touches one suite only.
	Suite    string `json:"suite,omitempty"`
	Reason   string `json:"reason"`
	Failures int    `json:"failures"`

	begin, end int64
	host       int
	suite      int
	first      int32
	count      int32
}

// The kinds of storms.
const (
	stormService = "service"
	stormHost    = "host"
	stormFew     = "few"
)

// planStorm schedules the next incident.
func (w *World) planStorm(at int64) {
	if w.config.StormsPerDay <= 0 {
		return
	}
	w.schedule(at+int64(w.storms.exponential(float64(Day)/w.config.StormsPerDay)), w.beginStorm)
}

func (w *World) beginStorm(at int64) {
	d := w.storms
	s := &Storm{
		begin: at, end: at + d.between(8*Minute, 70*Minute), host: -1, suite: -1,
		From: at + w.offset,
	}
	s.Until = s.end + w.offset
	switch d.int(4) {
	case 0:
		s.Kind, s.host, s.Share, s.Reason = stormHost, d.int(len(w.hosts)), 0.2+0.7*d.float(), pick(d, hostReasons)
		s.Host = w.hosts[s.host].id
	case 1:
		s.Kind, s.Share, s.Reason = stormFew, 1, pick(d, stormReasons)
		s.suite = d.int(len(w.suites))
		s.first, s.count = int32(d.int(w.config.TestsPerSuite)), int32(2+d.int(3))
	default:
		s.Kind, s.Share, s.Reason = stormService, d.logUniform(0.05, 0.9), pick(d, stormReasons)
		if len(w.suites) > 1 && d.chance(0.5) {
			s.suite = d.int(len(w.suites))
		}
	}
	if s.suite >= 0 {
		s.Suite = w.suites[s.suite].name
	}
	w.active = append(w.active, s)
	w.truthStorms = appendBounded(w.truthStorms, s)
	w.planStorm(at)
}

// stormsAt returns the incidents that touch a job, and forgets those that are over.
func (w *World) stormsAt(suite, host int, at int64, touching []*Storm) []*Storm {
	kept := w.active[:0]
	for _, s := range w.active {
		if at >= s.end {
			continue
		}
		kept = append(kept, s)
		if (s.suite < 0 || s.suite == suite) && (s.host < 0 || s.host == host) {
			touching = append(touching, s)
		}
	}
	clear(w.active[len(kept):])
	w.active = kept
	return touching
}

// hits decides whether the incident makes that test fail. Half of what it
// touched at the first attempt fails at a retry too.
func (s *Storm) hits(test int32, attempt int, d *dice) bool {
	if s.Kind == stormFew && (test < s.first || test >= s.first+s.count) {
		return false
	}
	chance := s.Share
	if attempt > 0 {
		chance /= 2
	}
	return d.chance(chance)
}
