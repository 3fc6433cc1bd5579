package demo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// creator is an invented person, determined by its id.
type creator struct {
	ID         string         `json:"id"` // determines the other fields, together with the topic
	Name       string         `json:"name"`
	Bio        string         `json:"bio"` // contains the topic, like a search result
	Location   string         `json:"location"`
	Categories []string       `json:"content_categories"`
	Audiences  []string       `json:"target_audiences"`
	Languages  []string       `json:"languages"`
	Platform   string         `json:"platform"`
	Handle     string         `json:"handle"`      // has a random suffix, so that it belongs to no real person
	ProfileURL string         `json:"profile_url"` // in a domain that cannot be registered
	Metrics    map[string]any `json:"metrics"`     // plausible, but not measured
}

// newRand returns a generator seeded by text, so that the same request has the same
// response, and all operations agree about a creator.
func newRand(seed string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// pick returns one of the words.
func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// uuid returns an identifier in the form of version 4. It is not secret, and not
// unique among demos.
func uuid(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), 0x8000|r.IntN(1<<14), r.Int64N(1<<48))
}

// newCreator returns the person with this id, who writes about topic.
func newCreator(id, topic string) creator {
	d := newRand(id)
	first := pick(d, "Amara", "Benedikt", "Chiara", "Dilip", "Elif", "Femi", "Greta", "Hiro", "Ines", "Jonas", "Kavya", "Luis")
	last := pick(d, "Okafor", "Lindqvist", "Moretti", "Rao", "Demir", "Adeyemi", "Bauer", "Tanaka", "Carvalho", "Novak", "Iyer", "Prieto")
	handle := strings.ToLower(fmt.Sprintf("%s-%s-%04x", first, last, d.IntN(1<<16)))
	role := pick(d, "Head of Growth", "Developer advocate", "Founder", "Analyst", "Engineering manager", "Consultant")
	return creator{
		ID: id, Name: first + " " + last,
		Bio:        fmt.Sprintf("%s. Writes about %s.", role, topic),
		Location:   pick(d, "Lagos, NG", "Stockholm, SE", "Milan, IT", "Pune, IN", "Izmir, TR", "Berlin, DE", "Osaka, JP", "Porto, PT"),
		Categories: []string{topic, pick(d, "marketing", "engineering", "product", "design")},
		Audiences:  []string{pick(d, "founders", "marketers", "developers", "executives")},
		Languages:  []string{"en"}, Platform: "linkedin", Handle: handle,
		ProfileURL: "https://creators.example/" + handle,
		Metrics: map[string]any{
			"followers_count": 2_000 + d.IntN(90_000), "engagement_rate": float64(50+d.IntN(600)) / 100,
			"avg_posts_per_month": 2 + d.IntN(20), "avg_views_per_post": 500 + d.IntN(40_000),
		},
	}
}

// newCreators returns count people for a topic. The first ones are the same for
// every count.
func newCreators(topic string, count int) []creator {
	d := newRand(topic)
	out := make([]creator, count)
	for i := range out {
		out[i] = newCreator(uuid(d), topic)
	}
	return out
}
