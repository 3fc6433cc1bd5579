package demo

import "net/http"

// object is a JSON object of an answer: the shapes are the API's own, and a type
// for each would say no more.
type object = map[string]any

// since is the moment at which everything in the demo happened.
const since = "2026-05-28T09:00:00Z"

// search finds as many as asked for, ten by default and never more than most.
func search(most int) answer {
	return func(q question, _ *http.Request) (int, object) {
		count := q.Limit
		if count <= 0 || count > most {
			count = min(most, 10)
		}
		return http.StatusOK, object{"creators": newCreators(q.topic(), count), "keywords_used": q.Keywords, "total": count}
	}
}

// thoughtLeaders accepts a job that getJob reports as done. 202 shows that the
// gateway charges for whatever is answered below 400.
func thoughtLeaders(q question, _ *http.Request) (int, object) {
	return http.StatusAccepted, object{"job_id": uuid(dice(q.topic())), "job_type": "thought_leaders", "status": "queued"}
}

// getCreator knows every id: the person is made when asked for.
func getCreator(_ question, r *http.Request) (int, object) {
	return http.StatusOK, object{"creator": newCreator(r.PathValue("id"), "software")}
}

// jobs starts one job for each creator, and costs the same however many.
func jobs(kind string) answer {
	return func(q question, _ *http.Request) (int, object) {
		ids := []string{}
		started := []object{}
		for _, c := range q.creators() {
			id := kind + ":" + uuid(dice(kind+c))
			ids = append(ids, id)
			started = append(started, object{"creator_id": c, "job_id": id, "status": "pending", "cached": false})
		}
		return http.StatusAccepted, object{
			"creators_requested": len(ids), "selection": selection(len(ids)), "analysis_depth": q.AnalysisDepth,
			"jobs_created": len(ids), "job_ids": ids, "jobs": started,
		}
	}
}

// results tells how each creator's job ended: well, always.
func results(kind string) answer {
	return func(q question, _ *http.Request) (int, object) {
		summary := []object{}
		for _, c := range q.creators() {
			d := dice(kind + c)
			summary = append(summary, object{
				"creator_id": c, "job_id": kind + ":" + uuid(d), "status": "succeeded",
				"match_score": 40 + d.IntN(60), "followers_count": 2_000 + d.IntN(90_000),
			})
		}
		return http.StatusOK, object{
			"selection": selection(len(summary)), "requested_count": len(summary), "found_count": len(summary),
			"not_found_ids": []string{}, "detail_level": q.DetailLevel, "results_summary": summary,
		}
	}
}

// posts finds one post of each creator.
func posts(q question, _ *http.Request) (int, object) {
	found := []object{}
	for _, c := range q.creators() {
		d := dice("posts" + c)
		found = append(found, object{
			"creator_id": c, "matched_posts_count": 1 + d.IntN(9),
			"evidence_posts": []object{{
				"post_url": "https://creators.example/posts/" + uuid(d), "posted_at": since, "relevance_score": 50 + d.IntN(50),
			}},
		})
	}
	return http.StatusOK, object{"keywords_used": q.Keywords, "selection": selection(len(found)), "results": found}
}

// selection repeats how many were chosen.
func selection(count int) object { return object{"source": "creator_ids", "selected_count": count} }

// job is a finished discovery.
func job(id, status string) object {
	return object{
		"id": id, "job_id": id, "job_type": "creator_discovery", "status": status, "is_terminal": true,
		"progress":   object{"total_items": 120, "completed_items": 120, "approved_items": 38, "failed_items": 82},
		"created_at": since, "updated_at": since, "result_retention_days": 30,
	}
}

// getJob knows every job: whatever the id, it has succeeded.
func getJob(_ question, r *http.Request) (int, object) {
	return http.StatusOK, object{"job": job(r.PathValue("id"), "succeeded")}
}

// cancelJob cancels even what has succeeded; nothing remembers it.
func cancelJob(_ question, r *http.Request) (int, object) {
	canceled := job(r.PathValue("id"), "canceled")
	canceled["canceled"] = true
	return http.StatusOK, object{"job": canceled}
}

// jobResults answers a job with the creators that it would have found.
func jobResults(q question, _ *http.Request) (int, object) {
	finished := job(q.JobID, "succeeded")
	finished["results"] = newCreators(q.JobID, 3)
	return http.StatusOK, object{"job": finished}
}

// bulkResults answers the first jobs asked for, as many as one answer holds.
func bulkResults(q question, _ *http.Request) (int, object) {
	all := []object{}
	for _, id := range q.JobIDs[:min(len(q.JobIDs), maxProfiles)] {
		all = append(all, job(id, "succeeded"))
	}
	return http.StatusOK, object{"jobs": all}
}

// campaign is one campaign of the workspace family.
func campaign(id, name string) object {
	return object{
		"id": id, "name": name, "target_platforms": []string{"linkedin"},
		"content_keywords": []string{"developer tools", "API"}, "created_at": since, "updated_at": since,
	}
}

// listCampaigns shows the same two to every account: the demo has one workspace.
func listCampaigns(question, *http.Request) (int, object) {
	d := dice("campaigns")
	return http.StatusOK, object{"campaigns": []object{campaign(uuid(d), "Developer launch"), campaign(uuid(d), "Spring webinar")}}
}

// createCampaign answers as if it had made one.
func createCampaign(q question, _ *http.Request) (int, object) {
	return http.StatusCreated, object{"campaign": campaign(uuid(dice(q.Name)), q.Name)}
}

// getCampaign knows every id.
func getCampaign(_ question, r *http.Request) (int, object) {
	return http.StatusOK, object{"campaign": campaign(r.PathValue("id"), "Developer launch")}
}

// creatorList is one list of the workspace family.
func creatorList(id, name string) object {
	return object{"id": id, "name": name, "is_private": true, "platform": "linkedin", "created_at": since, "updated_at": since}
}

// listCreatorLists shows the one list there is.
func listCreatorLists(question, *http.Request) (int, object) {
	return http.StatusOK, object{"creator_lists": []object{creatorList(uuid(dice("lists")), "Shortlist")}}
}

// createCreatorList answers as if it had made one.
func createCreatorList(q question, _ *http.Request) (int, object) {
	return http.StatusCreated, object{"creator_list": creatorList(uuid(dice(q.Name)), q.Name)}
}

// saveCreators counts what it was given and keeps none of it.
func saveCreators(q question, r *http.Request) (int, object) {
	added := len(q.CreatorIDs)
	return http.StatusOK, object{"list_id": r.PathValue("id"), "requested_count": added, "added_count": added, "total_items": added}
}
