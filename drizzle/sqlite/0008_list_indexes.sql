CREATE INDEX `api_keys_not_of_jobs` ON `api_keys` (`id`) WHERE "api_keys"."kind" <> 'JOB';--> statement-breakpoint
CREATE INDEX `jobs_type` ON `jobs` (`type`,`id`) WHERE "jobs"."type" <> 'TRAINING';--> statement-breakpoint
CREATE INDEX `jobs_initiator` ON `jobs` (`initiator`,`id`) WHERE "jobs"."initiator" <> 'MANUAL';--> statement-breakpoint
CREATE INDEX `jobs_texts` ON `jobs` (`id`,`name`,`owner`,`description`,`labels`);