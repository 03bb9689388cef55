// Package resource registers the custom resources of the bundle so that they can be described.
package resource

import "github.com/redpanda-data/benthos/v4/public/service"

// specs are those of the bundle's custom resources, by type. They are written in
// init functions alone.
var specs = map[string]*service.ConfigSpec{}

// Register registers a custom resource from an init function, and
// keeps its spec: the host keeps the fields alone, so that its references would
// not say what a resource is for.
func Register(name string, spec *service.ConfigSpec, construct service.CustomResourceConstructor) {
	if err := service.GlobalEnvironment().RegisterCustomResource(name, spec, construct); err != nil {
		panic(err)
	}
	specs[name] = spec
}

// Describe returns what a custom resource says of itself: summary,
// description and examples. Its fields are in the host's schema.
func Describe(name string) (said service.TemplateDataPlugin, err error) {
	// Only components have a view, so the spec becomes one in an environment of its own.
	env := service.NewEmptyEnvironment()
	err = env.RegisterProcessor(name, specs[name], func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return nil, nil //nolint:nilnil // never called
	})
	if err != nil {
		return said, err
	}
	env.WalkProcessors(func(_ string, view *service.ConfigView) {
		said, err = view.TemplateData()
	})
	return said, err
}
