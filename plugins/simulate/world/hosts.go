package world

import "strconv"

// host is an agent that runs jobs.
type host struct {
	id, hostType, arch, region string
	// slow multiplies durations.
	slow float64
}

func newHosts(n int, d *dice) []host {
	hosts := make([]host, n)
	for i := range hosts {
		kind := hostTypes[i%len(hostTypes)]
		hosts[i] = host{
			id: "agent-" + strconv.Itoa(i+1), hostType: kind.name, arch: kind.arch,
			region: regions[i%len(regions)], slow: 0.9 + 0.2*d.float(),
		}
		if i%8 == 5 {
			hosts[i].slow = 2.5
		}
	}
	return hosts
}
