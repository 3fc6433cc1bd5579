package demo

import "net/http"

// object is a JSON object of a response. Its fields follow the API's documentation.
type object = map[string]any

// eventTime is the time of every event in the demo.
const eventTime = "2026-05-28T09:00:00Z"

// search returns an operation that responds with the requested number of creators,
// or with ten if that number is not from 1 to most.
func search(most int) operation {
	return func(p params, _ *http.Request) (int, object) {
		count := p.Limit
		if count <= 0 || count > most {
			count = min(most, 10)
		}
		return http.StatusOK, object{"creators": newCreators(p.topic(), count), "keywords_used": p.Keywords, "total": count}
	}
}

// thoughtLeaders accepts a job that getJob reports as finished. The status 202 shows
// that the gateway charges for every status below 400.
func thoughtLeaders(p params, _ *http.Request) (int, object) {
	return http.StatusAccepted, object{"job_id": uuid(newRand(p.topic())), "job_type": "thought_leaders", "status": "queued"}
}

// getCreator returns an invented creator for any id; no id is unknown.
func getCreator(_ params, r *http.Request) (int, object) {
	return http.StatusOK, object{"creator": newCreator(r.PathValue("id"), "software")}
}

// jobs returns an operation that starts one job for each creator. A call costs the
// same for any number of jobs.
func jobs(kind string) operation {
	return func(p params, _ *http.Request) (int, object) {
		ids := []string{}
		started := []object{}
		for _, c := range p.creators() {
			id := kind + ":" + uuid(newRand(kind+c))
			ids = append(ids, id)
			started = append(started, object{"creator_id": c, "job_id": id, "status": "pending", "cached": false})
		}
		return http.StatusAccepted, object{
			"creators_requested": len(ids), "selection": selection(len(ids)), "analysis_depth": p.AnalysisDepth,
			"jobs_created": len(ids), "job_ids": ids, "jobs": started,
		}
	}
}

// results returns an operation that responds with the result of each creator's job,
// which always succeeded.
func results(kind string) operation {
	return func(p params, _ *http.Request) (int, object) {
		summary := []object{}
		for _, c := range p.creators() {
			d := newRand(kind + c)
			summary = append(summary, object{
				"creator_id": c, "job_id": kind + ":" + uuid(d), "status": "succeeded",
				"match_score": 40 + d.IntN(60), "followers_count": 2_000 + d.IntN(90_000),
			})
		}
		return http.StatusOK, object{
			"selection": selection(len(summary)), "requested_count": len(summary), "found_count": len(summary),
			"not_found_ids": []string{}, "detail_level": p.DetailLevel, "results_summary": summary,
		}
	}
}

// posts returns one post of each creator.
func posts(p params, _ *http.Request) (int, object) {
	found := []object{}
	for _, c := range p.creators() {
		d := newRand("posts" + c)
		found = append(found, object{
			"creator_id": c, "matched_posts_count": 1 + d.IntN(9),
			"evidence_posts": []object{{
				"post_url": "https://creators.example/posts/" + uuid(d), "posted_at": eventTime, "relevance_score": 50 + d.IntN(50),
			}},
		})
	}
	return http.StatusOK, object{"keywords_used": p.Keywords, "selection": selection(len(found)), "results": found}
}

// selection describes the selected creators.
func selection(count int) object { return object{"source": "creator_ids", "selected_count": count} }

// job returns a finished discovery job.
func job(id, status string) object {
	return object{
		"id": id, "job_id": id, "job_type": "creator_discovery", "status": status, "is_terminal": true,
		"progress":   object{"total_items": 120, "completed_items": 120, "approved_items": 38, "failed_items": 82},
		"created_at": eventTime, "updated_at": eventTime, "result_retention_days": 30,
	}
}

// getJob returns a succeeded job for any id.
func getJob(_ params, r *http.Request) (int, object) {
	return http.StatusOK, object{"job": job(r.PathValue("id"), "succeeded")}
}

// cancelJob returns a canceled job for any id, and stores nothing.
func cancelJob(_ params, r *http.Request) (int, object) {
	canceled := job(r.PathValue("id"), "canceled")
	canceled["canceled"] = true
	return http.StatusOK, object{"job": canceled}
}

// jobResults returns a job with its creators.
func jobResults(p params, _ *http.Request) (int, object) {
	finished := job(p.JobID, "succeeded")
	finished["results"] = newCreators(p.JobID, 3)
	return http.StatusOK, object{"job": finished}
}

// bulkResults returns the requested jobs, up to the maximum of one response.
func bulkResults(p params, _ *http.Request) (int, object) {
	all := []object{}
	for _, id := range p.JobIDs[:min(len(p.JobIDs), maxProfiles)] {
		all = append(all, job(id, "succeeded"))
	}
	return http.StatusOK, object{"jobs": all}
}

// campaign returns a campaign of the workspace family.
func campaign(id, name string) object {
	return object{
		"id": id, "name": name, "target_platforms": []string{"linkedin"},
		"content_keywords": []string{"developer tools", "API"}, "created_at": eventTime, "updated_at": eventTime,
	}
}

// listCampaigns returns the same two campaigns for every account.
func listCampaigns(params, *http.Request) (int, object) {
	d := newRand("campaigns")
	return http.StatusOK, object{"campaigns": []object{campaign(uuid(d), "Developer launch"), campaign(uuid(d), "Spring webinar")}}
}

// createCampaign returns a campaign without storing it.
func createCampaign(p params, _ *http.Request) (int, object) {
	return http.StatusCreated, object{"campaign": campaign(uuid(newRand(p.Name)), p.Name)}
}

// getCampaign returns a campaign for any id.
func getCampaign(_ params, r *http.Request) (int, object) {
	return http.StatusOK, object{"campaign": campaign(r.PathValue("id"), "Developer launch")}
}

// creatorList returns a list of the workspace family.
func creatorList(id, name string) object {
	return object{"id": id, "name": name, "is_private": true, "platform": "linkedin", "created_at": eventTime, "updated_at": eventTime}
}

// listCreatorLists returns the only list.
func listCreatorLists(params, *http.Request) (int, object) {
	return http.StatusOK, object{"creator_lists": []object{creatorList(uuid(newRand("lists")), "Shortlist")}}
}

// createCreatorList returns a list without storing it.
func createCreatorList(p params, _ *http.Request) (int, object) {
	return http.StatusCreated, object{"creator_list": creatorList(uuid(newRand(p.Name)), p.Name)}
}

// saveCreators returns the number of creators without storing them.
func saveCreators(p params, r *http.Request) (int, object) {
	added := len(p.CreatorIDs)
	return http.StatusOK, object{"list_id": r.PathValue("id"), "requested_count": added, "added_count": added, "total_items": added}
}
