package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// directory is the tenant.Directory behind the door: a suites file and what the
// quickstart adds to it.
type directory struct {
	file  string
	extra []tenant.Suite
	now   func() time.Time
	table atomic.Pointer[tenant.Table]

	// uses holds, by tokenKey, the unix second of a token's last use (*atomic.Int64).
	uses sync.Map

	// stamp is of the file as it was read, seen as it was last looked at.
	stamp, seen disk.Stamp
}

// newDirectory reads the file for the first time: what is broken now is a
// reason not to start.
func newDirectory(file string, extra []tenant.Suite, now func() time.Time) (*directory, error) {
	d := &directory{file: file, extra: extra, now: now}
	if err := d.load(); err != nil {
		return nil, err
	}
	return d, nil
}

// Lookup finds the tenant of a token.
func (d *directory) Lookup(token string) (tenant.Tenant, error) {
	return d.table.Load().Lookup(token, d.now())
}

// Identify finds what a verified OIDC token may do.
func (d *directory) Identify(id tenant.Identity) (tenant.Tenant, error) {
	return d.table.Load().Identify(id)
}

// Issuers are all that some policy names.
func (d *directory) Issuers() []string { return d.table.Load().Issuers() }

// Suites returns all suites.
func (d *directory) Suites() []tenant.Suite { return d.table.Load().Suites() }

// errGone keeps the tenants when the file is on its way from one place to another.
var errGone = errors.New("it is gone or empty; to have no suites at all write suites: []")

// reload reads the file again when it has changed and has then stayed the same
// from one look to the next: nobody is writing it. A broken file leaves the
// tenants as they were.
func (d *directory) reload() (changed bool, err error) {
	if d.file == "" {
		return false, nil
	}
	now := disk.StampOf(d.file)
	settled := now == d.seen
	d.seen = now
	if !settled || now == d.stamp {
		return false, nil
	}
	if now.Empty() {
		d.stamp = now
		err = fmt.Errorf("reading suites: %s: %w", d.file, errGone)
	} else {
		err = d.load()
	}
	return err == nil, err
}

func (d *directory) load() error {
	var suites []tenant.Suite
	var organizations []tenant.Organization
	if d.file != "" {
		d.stamp = disk.StampOf(d.file)
		raw, err := os.ReadFile(d.file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading suites: %w", err)
		}
		if suites, organizations, err = parseSuites(raw); err != nil {
			return fmt.Errorf("reading suites: %s: %w", d.file, err)
		}
	}
	table, err := tenant.NewTable(merged(suites, d.extra), organizations...)
	if err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	d.table.Store(table)
	return nil
}

// merged adds the quickstart's suite; when the file has a suite of that name,
// the quickstart's token opens that one.
func merged(suites, extra []tenant.Suite) []tenant.Suite {
	for _, suite := range extra {
		found := false
		for i := range suites {
			if suites[i].Organization == suite.Organization && suites[i].Name == suite.Name {
				suites[i].Tokens = append(suites[i].Tokens, suite.Tokens...)
				found = true
			}
		}
		if !found {
			suites = append(suites, suite)
		}
	}
	return suites
}

// tokenKey names a token of a suite.
type tokenKey struct{ organization, suite, token string }

func (k tokenKey) String() string { return k.organization + "/" + k.suite + " " + k.token }

// used remembers that a token was used.
func (d *directory) used(who *tenant.Tenant, now time.Time) {
	key := tokenKey{who.Org, who.Suite, who.TokenName}
	at, known := d.uses.Load(key)
	if !known {
		at, _ = d.uses.LoadOrStore(key, new(atomic.Int64))
	}
	at.(*atomic.Int64).Store(now.Unix()) //nolint:forcetypeassert // nothing else is stored
}

// lastUses are the tokens' last uses, to the second.
func (d *directory) lastUses() map[string]time.Time {
	uses := map[string]time.Time{}
	d.uses.Range(func(key, at any) bool {
		uses[key.(tokenKey).String()] = time.Unix(at.(*atomic.Int64).Load(), 0).UTC() //nolint:forcetypeassert // nothing else is stored
		return true
	})
	return uses
}
