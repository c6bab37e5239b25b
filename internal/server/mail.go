package server

import (
	"fmt"
	"os"
	"strings"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/mail"
	"lambent.dev/lambent/internal/services/sns"
)

// mailServer returns what sends mails; nil when the settings name no server.
func mailServer(cfg config.Config) (sns.Mails, error) {
	if cfg.MailServer == "" {
		return nil, nil
	}
	password := ""
	if cfg.MailPassword != "" {
		b, err := os.ReadFile(cfg.MailPassword)
		if err != nil {
			return nil, fmt.Errorf("setting mail-password: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	s, err := mail.Parse(cfg.MailServer, cfg.MailFrom, password)
	if err != nil {
		return nil, fmt.Errorf("setting mail-server: %w", err)
	}
	return s, nil
}
