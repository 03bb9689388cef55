package peers

import (
	"fmt"
	"slices"
)

// figures are of the steady part of a run: from 25 % to 97 % of the input.
type figures struct {
	perSecond, perCPUSecond float64
	// cores are those of the process, brokerCores those of the broker meanwhile and
	// idleCores those of nobody; 0 is not measured.
	cores, brokerCores, idleCores float64
	peakMB                        float64
	verdicts                      float64
}

// figuresOf takes lines whose at and cpu are milliseconds and whose peak is kB.
func figuresOf(lines []line, total float64) figures {
	at := func(share float64) line {
		i := slices.IndexFunc(lines, func(l line) bool { return l.executions >= total*share })
		return lines[i]
	}
	from, to, last := at(0.25), at(0.97), lines[len(lines)-1]
	done, wall, cpu := to.executions-from.executions, to.at-from.at, to.cpu-from.cpu
	return figures{
		perSecond: done / wall * 1000, perCPUSecond: done / cpu * 1000, cores: cpu / wall, brokerCores: (to.broker - from.broker) / wall,
		idleCores: (to.idle - from.idle) / wall,
		peakMB:    last.peak / 1000, verdicts: last.verdicts,
	}
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f K executions/CPU-s, %.0f K executions/s, %.2f cores (broker %.2f, idle %.2f), peak %.0f MB, %.0f verdicts",
		f.perCPUSecond/1e3, f.perSecond/1e3, f.cores, f.brokerCores, f.idleCores, f.peakMB, f.verdicts)
}

// median takes the middle of each figure.
func median(all []figures) figures {
	of := func(pick func(figures) float64) float64 {
		values := make([]float64, 0, len(all))
		for _, one := range all {
			values = append(values, pick(one))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return figures{
		perSecond:    of(func(f figures) float64 { return f.perSecond }),
		perCPUSecond: of(func(f figures) float64 { return f.perCPUSecond }),
		cores:        of(func(f figures) float64 { return f.cores }),
		brokerCores:  of(func(f figures) float64 { return f.brokerCores }),
		idleCores:    of(func(f figures) float64 { return f.idleCores }),
		peakMB:       of(func(f figures) float64 { return f.peakMB }),
		verdicts:     of(func(f figures) float64 { return f.verdicts }),
	}
}
