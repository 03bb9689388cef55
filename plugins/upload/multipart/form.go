package multipart

import "strings"

// Form is a form as collectors fill it.
type Form struct {
	// Format names the format of Data.
	Format string
	Data   Part
	// HasData says that there was a part named data.
	HasData bool
	// Env and Tags are the parts run_env[key] and tags[key], in the order sent.
	Env  []Pair
	Tags []Pair
}

// Pair is one key with its text.
type Pair struct{ Key, Value string }

// Read makes a form of parts. They come in any order; of format and data the
// first part counts, parts with other names are passed over.
func Read(parts []Part) Form {
	var form Form
	for _, part := range parts {
		switch part.Name {
		case "format":
			if form.Format == "" {
				form.Format = strings.TrimSpace(text(part))
			}
		case "data":
			if !form.HasData {
				form.Data, form.HasData = part, true
			}
		default:
			if key, found := bracketed(part.Name, "run_env"); found {
				form.Env = append(form.Env, Pair{key, text(part)})
			} else if key, found := bracketed(part.Name, "tags"); found {
				form.Tags = append(form.Tags, Pair{key, text(part)})
			}
		}
	}
	return form
}

func text(part Part) string { return strings.ToValidUTF8(string(part.Value), "\uFFFD") }

// bracketed returns the key of name[key].
func bracketed(name, before string) (string, bool) {
	rest, found := strings.CutPrefix(name, before+"[")
	if !found || !strings.HasSuffix(rest, "]") {
		return "", false
	}
	return rest[:len(rest)-1], true
}
