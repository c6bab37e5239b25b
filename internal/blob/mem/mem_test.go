package mem_test

import (
	"testing"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/mem"
)

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(*testing.T) (blob.Store, func() blob.Store) { return mem.New(), nil })
}
