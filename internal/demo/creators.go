package demo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// creator is a made-up person, the same for the same id.
type creator struct {
	ID         string         `json:"id"` // the rest follows from it and the topic
	Name       string         `json:"name"`
	Bio        string         `json:"bio"` // says the topic, so that a search seems to have searched
	Location   string         `json:"location"`
	Categories []string       `json:"content_categories"`
	Audiences  []string       `json:"target_audiences"`
	Languages  []string       `json:"languages"`
	Platform   string         `json:"platform"`
	Handle     string         `json:"handle"`      // of no real person: it has a random tail
	ProfileURL string         `json:"profile_url"` // at a name that can never be registered
	Metrics    map[string]any `json:"metrics"`     // plausible together; nobody measured them
}

// dice are seeded by text, so that the same question has the same answer: what
// one operation tells of a creator, the others tell too.
func dice(seed string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// pick throws the dice for one of the words.
func pick(d *rand.Rand, words ...string) string { return words[d.IntN(len(words))] }

// uuid makes an identifier in the form of version 4 out of dice. It is no
// secret and never unique among demos.
func uuid(d *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", d.Uint32(), d.IntN(1<<16), d.IntN(1<<12), 0x8000|d.IntN(1<<14), d.Int64N(1<<48))
}

// newCreator makes the person that id stands for, who writes about topic.
func newCreator(id, topic string) creator {
	d := dice(id)
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

// newCreators makes count people who fit a topic, the first ones the same
// however many are asked for.
func newCreators(topic string, count int) []creator {
	d := dice(topic)
	out := make([]creator, count)
	for i := range out {
		out[i] = newCreator(uuid(d), topic)
	}
	return out
}
