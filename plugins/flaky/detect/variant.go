package detect

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// variants names the variant of executions: the values of some tags, those of
// the execution before those of the upload before those of its run_env. It is
// worked out once an upload; an execution with such tags of its own costs more.
type variants struct {
	names  []string
	upload []string
	own    []string
	hash   uint64
}

func (v *variants) open(settings *Settings, u *testengine.Upload) {
	v.names = settings.VariantTags
	v.upload = v.upload[:0]
	for _, name := range v.names {
		v.upload = append(v.upload, uploadValue(u, name))
	}
	v.hash = v.hashOf(v.upload)
}

func uploadValue(u *testengine.Upload, name string) string {
	if value, ok := u.Tag(name); ok {
		return value
	}
	for i := range u.Env {
		if u.Env[i].Key == name {
			return u.Env[i].Value
		}
	}
	if name == "language.version" {
		return u.LanguageVersion
	}
	return ""
}

// of returns the hash of an execution's variant, 0 when nothing names one.
func (v *variants) of(x *testengine.Execution) uint64 {
	if len(x.Tags) == 0 || !v.take(x) {
		return v.hash
	}
	return v.hashOf(v.own)
}

func (v *variants) take(x *testengine.Execution) bool {
	found := false
	for i := range x.Tags {
		for j, name := range v.names {
			if x.Tags[i].Key != name {
				continue
			}
			if !found {
				v.own = append(v.own[:0], v.upload...)
				found = true
			}
			v.own[j] = x.Tags[i].Value
		}
	}
	return found
}

func (v *variants) hashOf(values []string) uint64 {
	hash := uint64(0)
	for i, value := range values {
		if value != "" {
			hash = testengine.Hash(testengine.Hash(hash, v.names[i]), value)
		}
	}
	return hash
}

// text writes the variant as "host.os=linux,browser=firefox".
func (v *variants) text(x *testengine.Execution) string {
	values := v.upload
	if v.take(x) {
		values = v.own
	}
	var parts []string
	for i, value := range values {
		if value != "" {
			parts = append(parts, v.names[i]+"="+value)
		}
	}
	return strings.Join(parts, ",")
}
