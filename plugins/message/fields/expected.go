package fields

import (
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// A processor reaches its resources with its first message, and has no connection that
// could be refused. So it says when it is made what it will need, and outputs, which
// connect once everything is there, refuse for it: before the first message, and where
// /ready sees it.

// expectedKey is where the manager of resources keeps what a stream's processors need.
type expectedKey struct{ stream string }

type expectations struct {
	mu  sync.Mutex
	all map[*expectation]bool
}

type expectation struct{ who, kind, label string }

// Expect notes that a processor will need a custom resource, until it says that it is
// closed. Without a label it needs none.
func Expect(res *service.Resources, who, kind, label string) (closed func()) {
	if label == "" {
		return func() {}
	}
	of, one := expectationsOf(res), &expectation{who, kind, label}
	of.mu.Lock()
	defer of.mu.Unlock()
	of.all[one] = true
	return func() {
		of.mu.Lock()
		defer of.mu.Unlock()
		delete(of.all, one)
	}
}

// Expected says which resource a processor of the same stream needs and does not
// have (ErrResource). It is asked when everything is made.
func Expected(res *service.Resources) error {
	of := expectationsOf(res)
	of.mu.Lock()
	defer of.mu.Unlock()
	for one := range of.all {
		if !res.HasCustomResource(one.kind, one.label) {
			return resourceError{fmt.Errorf("%s needs the %s %q, which is not in the configuration", one.who, one.kind, one.label)}
		}
	}
	return nil
}

func expectationsOf(res *service.Resources) *expectations {
	found, _ := res.GetOrSetGeneric(expectedKey{res.StreamID()}, &expectations{all: make(map[*expectation]bool)})
	of, _ := found.(*expectations)
	return of
}
