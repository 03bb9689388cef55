package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Section turns what somebody wrote for one suite, with the names and forms of
// flaky_detect's fields (run_idle: 5m, enabled: false), into the body of a change
// of type "detection". The names of such a body (run_idle_ms, disabled) are
// taken too. A name that nobody knows, a value of another type and a share that
// is none are errors that name the field; whether thresholds fit each other is
// for Override to say.
func Section(written map[string]any) (testengine.RawJSON, error) {
	known, err := json.Marshal(DefaultSettings())
	if err != nil {
		return "", err
	}
	var names map[string]any
	if err := json.Unmarshal(known, &names); err != nil {
		return "", err
	}
	section, err := sectionOf(written, names, "")
	if err != nil {
		return "", err
	}
	// Keys come out in order, so that moving lines about is no change.
	body, err := json.Marshal(section)
	if err != nil {
		return "", err
	}
	var typed *json.UnmarshalTypeError
	settings := DefaultSettings()
	if err := json.Unmarshal(body, &settings); errors.As(err, &typed) {
		return "", fmt.Errorf("%s: a %s does not fit", typed.Field, typed.Value)
	}
	if err := settings.checkEach(); err != nil {
		return "", err
	}
	return testengine.RawJSON(body), nil
}

// sectionOf translates one object; known holds its fields by the names of a body.
func sectionOf(written, known map[string]any, path string) (map[string]any, error) {
	section := make(map[string]any, len(written))
	for _, field := range slices.Sorted(maps.Keys(written)) {
		name, value, err := field, written[field], error(nil)
		inner, isObject := known[name].(map[string]any)
		fields, hasFields := value.(map[string]any)
		switch {
		case isObject && !hasFields:
			err = errors.New("fields are expected")
		case isObject:
			value, err = sectionOf(fields, inner, path+name+".")
			if err != nil {
				return nil, err
			}
		case has(known, name):
		case has(known, name+"_ms"):
			value, err = milliseconds(value)
			name += "_ms"
		case name == "enabled" && has(known, "disabled"):
			enabled, isBool := value.(bool)
			if !isBool {
				err = errors.New("true or false is expected")
			}
			name, value = "disabled", !enabled
		default:
			err = errors.New("there is no such field; there are " + strings.Join(fieldNames(known), ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", path, field, err)
		}
		section[name] = value
	}
	return section, nil
}

func has(known map[string]any, name string) bool {
	_, is := known[name]
	return is
}

func milliseconds(value any) (any, error) {
	text, isText := value.(string)
	duration, err := time.ParseDuration(text)
	if !isText || err != nil || duration < 0 {
		return nil, fmt.Errorf("%v is no duration such as 10m", value)
	}
	return duration.Milliseconds(), nil
}

// fieldNames are the names of a body as the fields of flaky_detect have them.
func fieldNames(known map[string]any) []string {
	names := make([]string, 0, len(known))
	for name := range known {
		name = strings.TrimSuffix(name, "_ms")
		if name == "disabled" {
			name = "enabled"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
