// Package sketch keeps what cannot be kept exactly in little room: percentiles
// (DDSketch) and numbers of distinct things (HyperLogLog).
//
// A window's sketch changes with every event, and a state is written value by
// value. So each sketch has two parts: a tail of the newest TailSize items, which
// is written with its window, and a base of everything older, which is folded and
// written once a tail is full. A sketch of few items has no base. An answer never
// depends on where the cut between the two lies.
package sketch

import "errors"

// TailSize is the number of items after which a tail is folded into the base.
const TailSize = 64

// ErrDamaged is returned for bytes that are no sketch.
var ErrDamaged = errors.New("the sketch does not parse")
