// Package config loads and checks the settings of the product.
//
// A command loads a Config once and passes it to the wiring. The embedded
// default.yaml has every setting with its default; the vendor's file and the
// environment override it. Load reports all problems together, each with its
// line and a fix, and rejects settings that would admit everyone. Only this
// package reads the environment. It opens only the configuration and the secret
// files named there, and it never prints a password.
package config
