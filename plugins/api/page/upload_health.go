package page

import (
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// UploadHealthView is how the uploads of 24 hours fared.
type UploadHealthView struct {
	Frame
	Facts query.Suite
	Kinds []Choice
	Hello string
	// Health is asked for From <= time < To; both are full hours of UTC, in unix milliseconds.
	Health   query.UploadHealth
	From, To int64
	// Hours are all 24, oldest first, also those in which nothing came.
	Hours []query.UploadHour
	// Earlier and Later are the same page a day before and after; Later is "" at the end.
	Earlier, Later string
	Charts         []HourChart
}

// HealthHours is how many hours the page shows.
const HealthHours = 24

const hourMilli = int64(time.Hour / time.Millisecond)

// AllHours puts hours in which nothing came between the others.
func AllHours(some []query.UploadHour, from int64) []query.UploadHour {
	list := make([]query.UploadHour, HealthHours)
	for i := range list {
		list[i].At = from + int64(i)*hourMilli
	}
	for _, hour := range some {
		if i := (hour.At - from) / hourMilli; i >= 0 && i < HealthHours {
			list[i] = hour
		}
	}
	return list
}

// HourChart is a bar an hour, of parts that stand on each other. Lengths are in
// units of a box of 240 × 100; it needs no script.
type HourChart struct {
	Title string
	// Most is the height of the box in the unit of the numbers.
	Most  int64
	Bars  []HourBar
	Parts []string // the words of the legend, which are class names too
	Ticks []string
}

// HourBar is one hour; Says is what it stands for, in words.
type HourBar struct {
	X     int
	Says  string
	Parts []HourPart
}

// HourPart is one part of a bar.
type HourPart struct {
	Class     string
	Y, Height float64
}

const (
	boxHeight = 100.0
	hourWidth = 10
	// leastHeight keeps a single rejected record visible beside a million accepted ones.
	leastHeight = 2.5
	tickEvery   = 6
)

// HourCharts draws uploads and executions.
func HourCharts(hours []query.UploadHour) []HourChart {
	uploads := hourChart("Uploads an hour", hours, []string{"clean", "problems", "duplicates"}, func(t *query.UploadTally) []int64 {
		return []int64{int64(t.Uploads - t.WithProblems), int64(t.WithProblems), int64(t.Duplicates)}
	})
	executions := hourChart("Executions an hour", hours, []string{"accepted", "rejected"}, func(t *query.UploadTally) []int64 {
		return []int64{t.Accepted, t.Rejected}
	})
	return []HourChart{uploads, executions}
}

func hourChart(title string, hours []query.UploadHour, parts []string, numbers func(*query.UploadTally) []int64) HourChart {
	c := HourChart{Title: title, Parts: parts}
	for i := range hours {
		sum := int64(0)
		for _, n := range numbers(&hours[i].UploadTally) {
			sum += n
		}
		c.Most = max(c.Most, sum)
	}
	for i := range hours {
		began := time.UnixMilli(hours[i].At).UTC()
		if i%tickEvery == 0 {
			c.Ticks = append(c.Ticks, began.Format("15:04"))
		}
		c.Bars = append(c.Bars, hourBar(hourWidth*i, began, c.Most, parts, numbers(&hours[i].UploadTally)))
	}
	return c
}

func hourBar(x int, began time.Time, most int64, parts []string, numbers []int64) HourBar {
	bar := HourBar{X: x}
	words := make([]string, len(parts))
	top, spare := boxHeight, boxHeight-leastHeight*float64(len(parts))
	for i, n := range numbers {
		words[i] = formatCount(n) + " " + parts[i]
		if n == 0 {
			continue
		}
		height := leastHeight + spare*float64(n)/float64(most)
		top -= height
		bar.Parts = append(bar.Parts, HourPart{Class: parts[i], Y: top, Height: height})
	}
	bar.Says = began.Format("2 Jan 15:04") + "–" + began.Add(time.Hour).Format("15:04 MST") + ": " + strings.Join(words, ", ")
	return bar
}
