ALTER TABLE `api_keys` ADD `joined` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `code` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `code_fragment_id` text;--> statement-breakpoint
CREATE INDEX `jobs_code` ON `jobs` (`code_fragment_id`) WHERE "jobs"."code_fragment_id" is not null;--> statement-breakpoint
ALTER TABLE `steps` ADD `inputs` text;