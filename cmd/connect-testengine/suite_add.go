package main

import (
	"errors"
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/collector"
)

// suiteCommand manages the suites file from the command line.
func suiteCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "suite",
		Usage: "Manage the suites whose collectors may report here",
		Subcommands: []*ucli.Command{{
			Name:      "add",
			Usage:     "Add a suite to the suites file and print its token, once",
			ArgsUsage: "ORG/SUITE",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "default-branch", Value: "main", Usage: "The branch on which tests ought to pass."},
				&ucli.StringFlag{Name: "file", Value: "config/suites.yaml", Usage: "The suites file; it is made when missing."},
				&ucli.StringFlag{Name: "scopes", Value: "write,read", Usage: "What the token may do: write uploads, read pages and the API."},
				&ucli.StringFlag{
					Name: "url", Value: "http://127.0.0.1:8420", EnvVars: []string{"TESTENGINE_URL"},
					Usage: "How collectors reach the front door.",
				},
			},
			Action: addSuite,
		}},
	}
}

func addSuite(c *ucli.Context) error {
	name, err := nameAndFlags(c)
	if err != nil {
		return err
	}
	organization, suite, _ := strings.Cut(name, "/")
	token, err := collector.AddSuite(c.String("file"), collector.NewSuite{
		Organization:  organization,
		Suite:         suite,
		DefaultBranch: c.String("default-branch"),
		Scopes:        strings.Split(c.String("scopes"), ","),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s is in %s. Its token is shown this once; paste into CI:\n\n%s",
		name, c.String("file"), collector.Variables(c.String("url"), token))
	return err
}

// nameAndFlags lets flags stand behind the name too, which the library does not.
func nameAndFlags(c *ucli.Context) (name string, err error) {
	arguments := c.Args().Slice()
	for i := 0; i < len(arguments); i++ {
		flag, isFlag := strings.CutPrefix(arguments[i], "--")
		if !isFlag {
			if name != "" {
				return "", errors.New("adding a suite: one ORG/SUITE at a time")
			}
			name = arguments[i]
			continue
		}
		key, value, inline := strings.Cut(flag, "=")
		if !inline {
			if i++; i == len(arguments) {
				return "", fmt.Errorf("adding a suite: --%s needs a value", key)
			}
			value = arguments[i]
		}
		if err := c.Set(key, value); err != nil {
			return "", fmt.Errorf("adding a suite: --%s: %w", key, err)
		}
	}
	if !strings.Contains(name, "/") {
		return "", errors.New("adding a suite: say which, as ORG/SUITE: connect-testengine suite add acme/api")
	}
	return name, nil
}
