package operator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// noNodes is a Cluster without nodes.
type noNodes struct{}

func (noNodes) ListNodes(context.Context) ([]store.Node, error) { return nil, nil }

// Guarantee: each check has its own level, text and fix. A risk is a warning, not a failure, so that a script
// that runs the doctor does not fail because of it.
func TestHealth(t *testing.T) {
	t.Parallel()
	probe := func(name string, err error) Probe {
		return Probe{Name: name, Fix: "repair it", Run: func(context.Context) (string, error) { return "fine", err }}
	}
	s := server{Config: Config{Cluster: noNodes{}, Now: time.Now, Probes: []Probe{
		probe("works", nil), probe("broken", errors.New("down")), probe("risky", Warning{Detail: "open", Fix: "close it"}),
	}}}
	got, err := s.health(t.Context(), toksta.Actor{}, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	want := []client.Check{
		{Name: "works", Level: client.LevelOK, Detail: "fine"},
		{Name: "broken", Level: client.LevelFail, Detail: "down", Fix: "repair it"},
		{Name: "risky", Level: client.LevelWarn, Detail: "open", Fix: "close it"},
	}
	if diff := cmp.Diff(want, got.Checks[1:]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if nodes := got.Checks[0]; nodes.Name != "nodes" || nodes.Level != client.LevelFail {
		t.Errorf("without nodes: %+v", nodes)
	}
}
