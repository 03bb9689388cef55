package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/collector"
)

// suiteCommand manages the suites file from the command line.
func suiteCommand() *ucli.Command {
	file := &ucli.StringFlag{Name: "file", Value: "config/suites.yaml", EnvVars: []string{"TESTENGINE_SUITES"}, Usage: "The suites file."}
	scopes := &ucli.StringFlag{Name: "scopes", Value: "write,read", Usage: "What the token may do: write uploads, read pages and the API."}
	return &ucli.Command{
		Name:  "suite",
		Usage: "Manage the suites whose collectors may report here, and their tokens",
		Subcommands: []*ucli.Command{
			{
				Name:      "add",
				Usage:     "Add a suite to the suites file and print its token, once",
				ArgsUsage: "ORG/SUITE",
				Flags: []ucli.Flag{
					file, scopes,
					&ucli.StringFlag{Name: "default-branch", Value: "main", Usage: "The branch on which tests ought to pass."},
					frontDoorFlag("TESTENGINE_URL"),
				},
				Action: addSuite,
			},
			{
				Name:      "add-token",
				Usage:     "Give a suite one more token and print it, once; the others stay valid",
				ArgsUsage: "ORG/SUITE",
				Flags: []ucli.Flag{
					file, scopes,
					&ucli.StringFlag{Name: "name", Usage: "What tells the token from the suite's others. It must be given."},
					&ucli.StringFlag{Name: "expires", Usage: "The first day on which it is refused (2027-01-31), or a moment in RFC 3339."},
				},
				Action: addToken,
			},
			{
				Name:      "remove-token",
				Usage:     "Take a token away from a suite",
				ArgsUsage: "ORG/SUITE",
				Flags:     []ucli.Flag{file, &ucli.StringFlag{Name: "name", Usage: "The token's name. It must be given."}},
				Action: func(c *ucli.Context) error {
					name, err := suiteAndToken(c)
					if err != nil {
						return err
					}
					organization, suite, _ := strings.Cut(name, "/")
					return collector.RemoveToken(c.String("file"), organization, suite, c.String("name"))
				},
			},
			{
				Name:  "tokens",
				Usage: "List all tokens with their scopes, their end and their last use",
				Flags: []ucli.Flag{file, &ucli.StringFlag{
					Name: "data", Value: "./data", EnvVars: []string{"TESTENGINE_DATA"}, Usage: "The front door's folder, which remembers last uses.",
				}},
				Action: listTokens,
			},
		},
	}
}

// frontDoorFlag asks for the front door's address; variables may say it, and on
// the server itself TESTENGINE_ADDRESS does.
func frontDoorFlag(variables ...string) *ucli.StringFlag {
	address := os.Getenv("TESTENGINE_ADDRESS")
	if address == "" {
		address = "127.0.0.1:8420"
	}
	return &ucli.StringFlag{Name: "url", Value: collector.FrontDoorAt(address), EnvVars: variables, Usage: "How collectors reach the front door."}
}

func addToken(c *ucli.Context) error {
	name, err := suiteAndToken(c)
	if err != nil {
		return err
	}
	organization, suite, _ := strings.Cut(name, "/")
	add := collector.NewSuiteToken{Organization: organization, Suite: suite, Name: c.String("name"), Scopes: strings.Split(c.String("scopes"), ",")}
	if text := c.String("expires"); text != "" {
		if add.Expires, err = collector.ParseMoment(text); err != nil {
			return fmt.Errorf("adding a token: --expires: %q is neither a date (2027-01-31) nor RFC 3339", text)
		}
	}
	token, err := collector.AddToken(c.String("file"), add, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "Token %s of %s is shown this once:\n\n%s\n", add.Name, name, token)
	return err
}

func listTokens(c *ucli.Context) error {
	tokens, err := collector.ListTokens(c.String("file"), c.String("data"))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SUITE\tTOKEN\tSCOPES\tEXPIRES\tLAST USED")
	for _, t := range tokens {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", t.Suite, t.Name, strings.Join(t.Scopes, ","), momentOr(t.Expires, "never"), momentOr(t.LastUsed, "not seen"))
	}
	return table.Flush()
}

func momentOr(at time.Time, otherwise string) string {
	if at.IsZero() {
		return otherwise
	}
	return at.Format(time.RFC3339)
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

// suiteAndToken is nameAndFlags for the verbs that need a token's name as well.
func suiteAndToken(c *ucli.Context) (name string, err error) {
	if name, err = nameAndFlags(c); err == nil && c.String("name") == "" {
		err = errors.New("say which token: --name NAME")
	}
	return name, err
}

// nameAndFlags lets flags stand behind the name too, which the library does not.
func nameAndFlags(c *ucli.Context) (name string, err error) {
	arguments := c.Args().Slice()
	for i := 0; i < len(arguments); i++ {
		flag, isFlag := strings.CutPrefix(arguments[i], "--")
		if !isFlag {
			if name != "" {
				return "", errors.New("one ORG/SUITE at a time")
			}
			name = arguments[i]
			continue
		}
		key, value, inline := strings.Cut(flag, "=")
		if !inline {
			if i++; i == len(arguments) {
				return "", fmt.Errorf("--%s needs a value", key)
			}
			value = arguments[i]
		}
		if err := c.Set(key, value); err != nil {
			return "", fmt.Errorf("--%s: %w", key, err)
		}
	}
	if !strings.Contains(name, "/") {
		return "", fmt.Errorf("say which suite, as ORG/SUITE: connect-testengine suite %s acme/api", c.Command.Name)
	}
	return name, nil
}
