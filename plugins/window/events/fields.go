package events

import "strings"

// Fields are the fields that are read of every event, each named by its path:
// names of nested objects with dots between them. A dot inside a name is written
// ~1 and a tilde ~0, as in Bloblang's paths.
type Fields struct {
	names []string
	root  node
}

// A node is a name on the way to a field.
type node struct {
	children []child
}

type child struct {
	name  string
	field int // -1 when only a part of a path ends here
	node  *node
}

// NewFields prepares the fields; a path that is named twice is read once.
func NewFields() *Fields { return &Fields{} }

// Add returns the field's place among the values of an event.
func (f *Fields) Add(path string) (place int) {
	for i, name := range f.names {
		if name == path {
			return i
		}
	}
	place = len(f.names)
	f.names = append(f.names, path)
	at := &f.root
	parts := strings.Split(path, ".")
	for i, part := range parts {
		c := at.child(unescaper.Replace(part))
		if i == len(parts)-1 {
			c.field = place
			break
		}
		if c.node == nil {
			c.node = new(node)
		}
		at = c.node
	}
	return place
}

var unescaper = strings.NewReplacer("~1", ".", "~0", "~")

// Names are the paths by place.
func (f *Fields) Names() []string { return f.names }

func (n *node) child(name string) *child {
	for i := range n.children {
		if n.children[i].name == name {
			return &n.children[i]
		}
	}
	n.children = append(n.children, child{name: name, field: -1})
	return &n.children[len(n.children)-1]
}
