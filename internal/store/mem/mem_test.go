package mem_test

import (
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return mem.New() })
}

func TestAgreesWithTheModel(t *testing.T) {
	storetest.Compare(t, func() (store.Store, error) { return mem.New(), nil })
}
