package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/toksta/toksta"
)

// checkEvents: marks that can be reached.
func (c *checker) checkEvents() {
	e := c.cfg.Events
	c.must(e.LowBalance >= 0 && e.LowBalance <= 100, "events.low_balance", "This is no share of the included credits.", "choose percent from 1 to 100, or 0 to tell nothing")
	c.must(e.LowPurchased >= 0, "events.low_purchased", "A balance is never below 0.", "choose a number of credits, or 0 to tell nothing")
	c.must(e.LimitHits >= 0, "events.limit_hits", "Calls cannot be refused less than never.", "choose a number of calls, or 0 to tell nothing")
}

// MailChannel is the name that mails to customers are delivered under; no
// webhook has it.
const MailChannel = "mail"

// checkWebhooks: events name customers and what they use, and whoever receives
// them acts on them; so they are signed, and go protected.
func (c *checker) checkWebhooks() {
	for name, w := range c.cfg.Webhooks {
		path := "webhooks." + name
		c.must(regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`).MatchString(name) && name != MailChannel, path, "The webhook's name is malformed, or mail, which is taken.", "1 to 32 lower-case letters, digits and _, starting with a letter")
		c.must(isURL(w.URL, "http", "https"), path+".url", "This is not an http or https URL.", "write it as https://billing.example.com/toksta")
		c.must(isBase(w.URL), path+".url", "The URL holds a user, a query or a fragment.", "leave scheme, host and path: the signature says who sends")
		c.must(!strings.HasPrefix(w.URL, "http:") || isLocal(w.URL) || w.Insecure, path+".url", "What customers use would go over the network unprotected.", "write the https address, or consent with insecure: true")
		for i, kind := range w.Events {
			c.must(slices.Contains(toksta.EventKinds(), kind), fmt.Sprintf("%s.events[%d]", path, i), fmt.Sprintf("There is no event %q.", kind), fmt.Sprintf("known are %v", toksta.EventKinds()))
		}
		c.checkSigning(path+".secret", w)
	}
}

// checkSigning: without a secret anybody could send such events. No fault holds
// any of it.
func (c *checker) checkSigning(path string, w Webhook) {
	const fix = `make one: echo "whsec_$(openssl rand -base64 32)"`
	c.must(w.Secret == "" || !c.written(path, w.SecretFile), path, "The signing secret stands in the configuration file.", "put it in a file named by secret_file, or in the variable for it")
	texts := strings.Fields(w.Secret)
	c.must(len(texts) > 0, path, "There is no secret to sign with.", fix+", and name the file with secret_file")
	for i, text := range texts {
		if _, err := toksta.ParseSigningSecret(text); err != nil {
			c.fault(path, fmt.Sprintf("Secret %d of %d is none: %v.", i+1, len(texts), err), fix)
		}
	}
}
