package dispatch

import (
	"errors"
	"testing"

	"lambent.dev/lambent/internal/service"
)

func TestUnprovenBodiesAreBoundedAndGivenBack(t *testing.T) {
	var u unproven
	var taken []func()
	for {
		release, err := u.take(maxArchive)
		var refused *service.Error
		if errors.As(err, &refused) {
			if refused.Status != 503 {
				t.Errorf("refused with %v", err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, release)
	}
	if held := int64(len(taken)) * maxArchive; held > maxUnproven || held+maxArchive <= maxUnproven {
		t.Errorf("%d bytes were let in, the limit is %d", held, maxUnproven)
	}
	for _, release := range taken {
		release()
	}
	if release, err := u.take(maxUnproven); err != nil {
		t.Errorf("nothing is held and yet: %v", err)
	} else {
		release()
	}
}

func TestOnlyArchivesMayBeLarge(t *testing.T) {
	for operation, large := range map[string]bool{"CreateFunction": true, "UpdateFunctionCode": true, "PublishLayerVersion": true, "Invoke": false, "": false} {
		if carriesArchive(operation) != large {
			t.Errorf("%s may carry an archive: %v", operation, !large)
		}
	}
}
