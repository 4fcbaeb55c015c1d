ALTER TABLE `streams` ADD `is_deleted` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `streams_deleted` ON `streams` (`job_id`) WHERE "streams"."is_deleted";