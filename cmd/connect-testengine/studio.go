package main

import (
	"errors"

	ucli "github.com/urfave/cli/v2"
)

// studioCommand replaces the one built-in command that talks to a remote
// service: this distribution calls nobody.
func studioCommand() *ucli.Command {
	return &ucli.Command{
		Name:   "studio",
		Usage:  "Not part of this distribution: it would talk to a remote service.",
		Hidden: true,
		Action: func(*ucli.Context) error {
			return errors.New("studio is not part of this distribution: it would talk to a remote service")
		},
	}
}
