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
	// Twice is the second part named format or data: it is not clear which is meant.
	Twice *Part
	// Unread are the names of parts that mean nothing.
	Unread []string
}

// Pair is one key with its text.
type Pair struct{ Key, Value string }

// Read makes a form of parts, which come in any order.
func Read(parts []Part) Form {
	var form Form
	hasFormat := false
	for i, part := range parts {
		switch part.Name {
		case "format":
			if hasFormat && form.Twice == nil {
				form.Twice = &parts[i]
			}
			form.Format, hasFormat = strings.TrimSpace(text(part)), true
		case "data":
			if form.HasData && form.Twice == nil {
				form.Twice = &parts[i]
			}
			form.Data, form.HasData = part, true
		default:
			if key, found := bracketed(part.Name, "run_env"); found {
				form.Env = append(form.Env, Pair{key, text(part)})
			} else if key, found := bracketed(part.Name, "tags"); found {
				form.Tags = append(form.Tags, Pair{key, text(part)})
			} else {
				form.Unread = append(form.Unread, part.Name)
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
