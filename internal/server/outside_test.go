package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/reach"
)

func TestDeliveriesGoWhereTheSettingAllows(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "local") }))
	defer endpoint.Close()
	for setting, blocked := range map[string]bool{config.BackendsAuto: false, config.BackendsAny: false, config.BackendsPublic: true} {
		cfg := config.Default()
		cfg.Backends = setting
		client := deliver.NewClient((&parts{cfg: cfg}).outside(&Server{}), time.Minute)
		for url, blocked := range map[string]bool{endpoint.URL: blocked, "http://169.254.169.254/latest/meta-data": true} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(r)
			if err == nil {
				err = answer.Body.Close()
			}
			if errors.Is(err, reach.ErrBlocked) != blocked || !blocked && err != nil {
				t.Errorf("%s where backends is %s: %v", url, setting, err)
			}
		}
		client.CloseIdleConnections()
	}
}
