package main

import (
	"errors"
	"fmt"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/collector"
)

// doctorCommand looks at a front door from a CI machine.
func doctorCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "doctor",
		Usage: "Look at a front door as a collector on this machine would find it, and print the variables to set",
		Flags: []ucli.Flag{
			frontDoorFlag("TESTENGINE_URL", "BUILDKITE_ANALYTICS_BASE_URL"),
			&ucli.StringFlag{Name: "token", EnvVars: []string{"BUILDKITE_ANALYTICS_TOKEN"}, Usage: "The suite's token.", Required: true},
			&ucli.DurationFlag{Name: "timeout", Value: 10 * time.Second, Usage: "The longest that each look may take."},
		},
		Action: func(c *ucli.Context) error {
			doctor := collector.Doctor{Base: c.String("url"), Token: c.String("token"), Timeout: c.Duration("timeout"), Now: time.Now}
			well := true
			for _, f := range doctor.Examine(c.Context) {
				mark := "ok  "
				if !f.OK {
					mark, well = "FAIL", false
				}
				_, _ = fmt.Fprintf(c.App.Writer, "%s  %-10s  %s\n", mark, f.Name, f.Detail)
			}
			if !well {
				return errors.New("a collector on this machine would lose results: see above")
			}
			_, err := fmt.Fprintf(c.App.Writer, "\nA collector on this machine can report. Set in CI:\n\n%s", collector.Variables(c.String("url"), c.String("token")))
			return err
		},
	}
}
