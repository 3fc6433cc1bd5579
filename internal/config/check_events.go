package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// checkEvents checks that each threshold can be reached.
func (c *checker) checkEvents() {
	e := c.cfg.Events
	c.require(e.LowBalance >= 0 && e.LowBalance <= 100, "events.low_balance", "This is not a percentage.", "choose a number from 1 to 100, or 0 to disable the event")
	c.require(e.LowPurchased >= 0, "events.low_purchased", "A balance is never below 0.", "choose a number of credits, or 0 to disable the event")
	c.require(e.LimitHits >= 0, "events.limit_hits", "A number of calls is never below 0.", "choose a number of calls, or 0 to disable the event")
}

// maxNoticeDays bounds the days of notices about keys.
const maxNoticeDays = 3650

// checkNotices checks the days of notices about keys.
func (c *checker) checkNotices() {
	n := c.cfg.Notices
	c.require(n.UnusedDays >= 0 && n.UnusedDays <= maxNoticeDays, "notices.unused_days", "This is not a number of days.", "choose a number from 1 to 3650, such as 90, or 0 for no notice")
	c.require(len(n.ExpiringDays) <= 10, "notices.expiring_days", "There are too many days.", "choose at most 10, such as [7, 1]")
	for _, days := range n.ExpiringDays {
		c.require(days >= 1 && days <= maxNoticeDays, "notices.expiring_days", "This is not a number of days.", "choose numbers from 1 to 3650, such as [7, 1], or [] for no notices")
	}
}

// MailChannel is the delivery channel of notices to customers. No webhook may have
// this name.
const MailChannel = "mail"

// checkWebhooks requires a signature and encryption: events name customers and
// their usage, and receivers act on them.
func (c *checker) checkWebhooks() {
	for name, w := range c.cfg.Webhooks {
		path := "webhooks." + name
		c.require(webhookPattern.MatchString(name) && name != MailChannel, path, "The webhook's name is malformed, or mail, which is reserved.", "write 1 to 32 lower-case letters, digits and _, starting with a letter")
		c.require(isURL(w.URL, "http", "https"), path+".url", "This is not an http or https URL.", "write it as https://billing.example.com/toksta")
		c.require(isBaseURL(w.URL), path+".url", "The URL has a user, a query or a fragment.", "keep scheme, host and path; the signature authenticates the sender")
		c.require(!strings.HasPrefix(w.URL, "http:") || isLocalURL(w.URL) || w.Insecure, path+".url", "The usage of customers would be sent over the network without encryption.", "write the https address, or allow plain HTTP with insecure: true")
		for i, kind := range w.Events {
			c.require(slices.Contains(toksta.EventKinds(), kind), fmt.Sprintf("%s.events[%d]", path, i), fmt.Sprintf("There is no event %q.", kind), fmt.Sprintf("choose from %v", toksta.EventKinds()))
		}
		c.checkSigningSecrets(path+".secret", w)
	}
}

// checkSigningSecrets requires at least one well-formed secret, so that a receiver
// can reject forged events. No problem contains a part of a secret.
func (c *checker) checkSigningSecrets(path string, w Webhook) {
	const fix = `create one: echo "whsec_$(openssl rand -base64 32)"`
	c.require(w.Secret == "" || !c.isInline(path, w.SecretFile), path, "The configuration file contains the signing secret.", "put it in a file named by secret_file, or in its variable")
	texts := strings.Fields(w.Secret)
	c.require(len(texts) > 0, path, "The webhook has no signing secret.", fix+", and name the file with secret_file")
	for i, text := range texts {
		if _, err := toksta.ParseSigningSecret(text); err != nil {
			c.report(path, fmt.Sprintf("Secret %d of %d is malformed: %v.", i+1, len(texts), err), fix)
		}
	}
}
