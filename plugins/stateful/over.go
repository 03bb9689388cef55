package stateful

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

// Over makes the lanes over a state that the caller holds, where no resource
// names it: a program's own state, or a simulation's.
func Over[T any](provider state.Provider, log *service.Logger, memory Memory[T]) *Lanes[T] {
	return &Lanes[T]{
		memory: memory, log: log, lanes: make(map[int]*lane[T]), closed: func() {},
		provider: func(context.Context) (state.Provider, error) { return provider, nil },
	}
}
