package fields

import (
	"context"
	"errors"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// ErrResource is in every error of Resource: there will be no other one while the
// process runs.
var ErrResource = errors.New("the configuration names another resource")

type resourceError struct{ error }

func (resourceError) Is(target error) bool { return target == ErrResource }

// Resource finds the custom resource that a field names: kind is its type in the
// configuration (http_listener, testengine_state, …), label its label. An error
// says that there is none with that label, or that the one there is no T.
func Resource[T any](ctx context.Context, res *service.Resources, kind, label string) (found T, err error) {
	var value any
	if err := res.AccessCustomResource(ctx, kind, label, func(v any) { value = v }); err != nil {
		return found, resourceError{fmt.Errorf("finding the %s %q: %w", kind, label, err)}
	}
	found, ok := value.(T)
	if !ok {
		return found, resourceError{fmt.Errorf("finding the %s %q: it is a %T, which cannot do what is needed here", kind, label, value)}
	}
	return found, nil
}

// OptionalResource is Resource for a field that may be empty: then it returns
// T's zero value and no error.
func OptionalResource[T any](ctx context.Context, res *service.Resources, kind, label string) (found T, err error) {
	if label == "" {
		return found, nil
	}
	return Resource[T](ctx, res, kind, label)
}
