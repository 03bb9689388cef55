// Package statestore is the resource testengine_state: what stateful processors
// remember, in files of its own, with snapshots in a bucket or a directory.
//
// Package state holds all recovery code; its snapshots go to a depot or a bucket.
// Package disk is the only door to files, for the upload log too.
package statestore
