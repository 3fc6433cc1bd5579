package verifyapi

import (
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// check returns the error for a request that describes no call. It is a mistake of the
// program that asks, and not of its client.
func check(r *client.VerifyRequest) error {
	byTarget := r.Method != "" || r.Target != ""
	switch {
	case r.Key != "" && r.Authorization != "":
		return badRequest("Give key or authorization, not both.")
	case r.Operation != "" && byTarget:
		return badRequest("Give operation, or method and target, not both.")
	case r.Operation == "" && (r.Method == "" || r.Target == ""):
		return badRequest("Give operation, or both method and target.")
	case r.Credits != nil && (*r.Credits < 0 || *r.Credits > admit.MaxCredits):
		return badRequest(fmt.Sprintf("Give credits from 0 to %d.", admit.MaxCredits))
	case r.Hold == nil:
		return nil
	}
	if _, err := toksta.ValidateName("job", r.Hold.Job); err != nil {
		return badRequest("hold.job: Give a name of the job, unique in the account, of 1 to 100 characters.")
	}
	if most := int64(credits.MaxLifetime / time.Second); r.Hold.ExpiresIn < 0 || r.Hold.ExpiresIn > most {
		return badRequest(fmt.Sprintf("hold.expires_in_seconds: Give a time from 1 to %d seconds.", most))
	}
	return nil
}

// badRequest returns a BAD_REQUEST error. The message must not repeat request data.
func badRequest(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}
