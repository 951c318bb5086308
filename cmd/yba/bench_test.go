package main

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestPeopleAreSampledFromTheWholeFill(t *testing.T) {
	list := make([]string, 1000)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	if got := spread(list, 4); !slices.Equal(got, []string{"0", "250", "500", "750"}) {
		t.Errorf("sampled %v", got)
	}
	if got := spread(list[:3], 4); len(got) != 3 {
		t.Errorf("sampled %v of 3", got)
	}
}

func TestProcessorTimeIsToldForEachRequest(t *testing.T) {
	m := measure{Count: 1000}
	m.spent(processors{time.Second, 2 * time.Second}, processors{2 * time.Second, 2500 * time.Millisecond})
	if m.ServerCPU != 1000 || m.DatabaseCPU != 500 {
		t.Errorf("%v and %v µs", m.ServerCPU, m.DatabaseCPU)
	}
	none := measure{}
	none.spent(processors{}, processors{time.Second, time.Second})
	if none.ServerCPU != 0 || none.DatabaseCPU != 0 {
		t.Error("no request took time")
	}
}
