package assemble

import (
	"path"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// paths makes the files of a runner's own report what its collector would send:
// from the folder of the run, behind the prefix of the repository.
type paths struct {
	// raw says that files and location_prefix come as the runner has them.
	raw         bool
	cwd, prefix string
	// The last one: tests of a file stand together.
	from, to string
}

const bktec = "bktec"

// pathsOf reads how the files of an upload are to be read.
func pathsOf(u *testengine.Upload) *paths {
	p := &paths{raw: u.Collector == bktec || u.Format != "json" && u.Format != "otlp"}
	if !p.raw {
		return p
	}
	for i := range u.Env {
		if u.Env[i].Key == "cwd" && u.Env[i].Value != "/" {
			p.cwd = strings.TrimSuffix(u.Env[i].Value, "/")
		}
	}
	p.prefix = strings.TrimSuffix(withoutDot(u.LocationPrefix), "/")
	return p
}

func (p *paths) apply(e *testengine.Execution) {
	if !p.raw || e.File == "" {
		return
	}
	if e.File != p.from {
		p.from, p.to = e.File, p.of(e.File)
	}
	if rest, found := strings.CutPrefix(e.Location, p.from); found && p.to != p.from {
		e.Location = p.to + rest
	}
	if e.SuiteError && e.Name == p.from { // a file that does not load is named by its path
		e.Name = p.to
	}
	e.File = p.to
}

func (p *paths) of(file string) string {
	if rest, found := strings.CutPrefix(file, p.cwd); found && p.cwd != "" && strings.HasPrefix(rest, "/") {
		file = rest[1:]
	}
	file = withoutDot(file)
	if p.prefix == "" || path.IsAbs(file) || strings.HasPrefix(file, p.prefix+"/") {
		return file
	}
	return p.prefix + "/" + file
}
